package address

import (
	"errors"
	"io/fs"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for raw, want := range map[string]string{
		"":                      "",
		"http://localhost:6060": "http://localhost:6060",
		"http://h/debug/pprof/trace?seconds=5&sig=s3cret": "http://h/debug/pprof/trace?seconds=…&sig=…",
		"https://user:s3cret@h:1/x":                       "https://h:1/x",
		"https://s3cret@[::1]:1/x#s3cret":                 "https://[::1]:1/x",
		"https://h/a@b/c?a=b":                             "https://b/c?a=…",
		"https://h/c?email=me@h":                          "https://…",
		"http://h/?s3cret":                                "http://h/?…",
		"http://h/?a=s3cret;b=s3cret#s3cret?x":            "http://h/?a=…&b=…",
		"http://h/x#a=s3cret":                             "http://h/x",
		"http://h?x=s3cret":                               "http://h?x=…",
		"user:s3cret@h:4317":                              "h:4317",
		"h:4317":                                          "h:4317",
		"http:/user:s3cret@h/x":                           "h/x",
		// Tokens in the path.
		"https://h/services/T02AB/xoxBs3cretS3cretS3cret/v1/traces":           "https://h/services/T02AB/…/v1/traces",
		"h:1/0123456789abcdef0123":                                            "h:1/…",
		"https://h/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.s3cret/x": "https://h/…/x",
		"https://h/key-A1-b2-C3-d4-E5-f6-G7-s3cret":                           "https://h/…",
		"https://h/123e4567-e89b-12d3-a456-426614174000":                      "https://h/…",
		"https://checkout-7d9f8b6c5d-x2x9k.namespace:6060/debug/pprof/trace":  "https://checkout-7d9f8b6c5d-x2x9k.namespace:6060/debug/pprof/trace",
		"https://h/recordings/checkout-20261126-130507.trace":                 "https://h/recordings/checkout-20261126-130507.trace",
		"https://h/api/configuration-management/v1beta1":                      "https://h/api/configuration-management/v1beta1",
		// What does not parse, or otherwise than was meant.
		"http://user:s3cret/1@h/x":        "http://h/x",
		"http://user:12/s3cret@h/x":       "http://h/x",
		"http://user:s3cret?1@h/x":        "http://…",
		"http://user:s3cret?s3cret=b@h/x": "http://…",
		"http://user:s3cret#1@h/x":        "http://…",
		"http://user:s3cret%zz@h/%zz":     "http://h/%zz",
		"http://us er:s3@cret@h/x":        "http://h/x",
		"http://h\n\x1b[31m/\xff?\r=1":    `http://h\n\x1b[31m/\xff?\r=…`,
	} {
		if got := Printable(raw); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	if u, err := Parse("http://h/x?a=b"); err != nil || u.Host != "h" || u.RawQuery != "a=b" {
		t.Errorf("%v, %v", u, err)
	}
	for raw, want := range map[string]string{
		"http://user:s3cret/1@h/x": "http://h/x: not a URL: invalid port … after host",
		"http://s3cret h/x":        "http://s3cret h/x: not a URL: invalid character … in host name", // the host is shown
		"http://u:%s3cret@h/x":     "http://h/x: not a URL: invalid URL escape …",
		"http://u:s3\x7fcret@h/x":  "http://h/x: not a URL: net/url: invalid control character in URL",
	} {
		if _, err := Parse(raw); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", raw, err, want)
		}
	}
}

func TestReason(t *testing.T) {
	inner := errors.New("why")
	if got := Reason(&url.Error{Op: "Get", URL: "http://s3cret", Err: &url.Error{Err: inner}}); got != inner {
		t.Error(got)
	}
	got := Reason(&url.Error{Err: &fs.PathError{Op: `a "s3\"cret" b`, Err: fs.ErrExist}})
	if strings.Contains(got.Error(), "s3") || !errors.Is(got, fs.ErrExist) {
		t.Error(got)
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("")
	f.Add("#?/&;=@:")
	f.Add("://\n")
	f.Fuzz(func(t *testing.T, any string) {
		const canary = "s3cret"
		if strings.Contains(any, canary) {
			return
		}
		for _, raw := range []string{
			any,
			"http://user:" + canary + any + "@h/x",
			"user:" + canary + any + "@h/x",
			"http://" + any + canary + "@h/x",
			"http://h/x?k=" + canary + any,
			"http://user:p@h/x?" + any + "&k=" + any + canary,
		} {
			got := Printable(raw)
			if strings.Contains(got, canary) || !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) {
				t.Errorf("%q: %q", raw, got)
			}
			if _, err := Parse(raw); err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("%q: %v", raw, err)
			}
		}
	})
}
