package input

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const canary = "s3cret"

// asked is what a server got.
type asked struct{ requests []string }

func (a *asked) add(r *http.Request) {
	var b strings.Builder
	r.Write(&b)
	a.requests = append(a.requests, b.String())
}

// Headers, users and passwords go to the origin of the URL, and to no other, on
// no kind of redirect; nor do URLs as Referer.
func TestRedirects(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		var other, same asked
		elsewhere := server(t, func(w http.ResponseWriter, r *http.Request) {
			other.add(r)
			io.WriteString(w, "go")
		})
		tls := httptest.NewUnstartedServer(http.NotFoundHandler())
		tls.Config.ErrorLog = log.New(io.Discard, "", 0)
		tls.StartTLS()
		defer tls.Close()
		s := server(t, func(w http.ResponseWriter, r *http.Request) {
			same.add(r)
			switch r.URL.Path {
			case "/same":
				http.Redirect(w, r, "/end", status)
			case "/absolute":
				http.Redirect(w, r, "http://"+r.Host+"/end", status)
			case "/other":
				http.Redirect(w, r, elsewhere.URL+"/end", status)
			case "/tls":
				http.Redirect(w, r, tls.URL+"/end", status)
			case "/bad":
				w.Header().Set("Location", "http://u:"+canary+"/x@h/")
				w.WriteHeader(status)
			case "/ftp":
				w.Header().Set("Location", "ftp://u:"+canary+"@h/")
				w.WriteHeader(status)
			default:
				io.WriteString(w, "go")
			}
		})
		header := http.Header{"X-Api-Key": {canary}, "Authorization": {"Bearer " + canary}}
		for _, withHeader := range []bool{true, false} {
			opts := Options{Header: header}
			if !withHeader {
				opts.Header = nil
			}
			base := strings.Replace(s.URL, "http://", "http://user:"+canary+"@", 1)
			for path, want := range map[string]string{
				"/same": "", "/absolute": "", "/other": "",
				"/tls": "certificate", "/bad": "which is not a URL", "/ftp": "which is not an http or https URL",
			} {
				same.requests = nil
				in, err := Open(t.Context(), base+path+"?token="+canary, opts)
				if err == nil {
					in.Close()
				}
				if want == "" != (err == nil) || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), canary)) {
					t.Errorf("%d, %s: %v, want %q", status, path, err, want)
				}
				for i, r := range same.requests {
					if !strings.Contains(r, "Authorization: ") || withHeader && !strings.Contains(r, "X-Api-Key: "+canary) || strings.Contains(r, "Referer") {
						t.Errorf("%d, %s, request %d: %s", status, path, i, r)
					}
				}
			}
		}
		for _, r := range other.requests {
			if strings.Contains(r, canary) || strings.Contains(r, "Authorization") || strings.Contains(r, "Referer") {
				t.Errorf("%d: another origin got %s", status, r)
			}
		}
		if len(other.requests) != 2 {
			t.Errorf("%d requests elsewhere", len(other.requests))
		}
	}
}

// What a server repeats of the secrets is not shown.
func TestRepeatedSecrets(t *testing.T) {
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/404") {
			w.WriteHeader(404)
		}
		r.Write(w)
	})
	base := strings.Replace(s.URL, "http://", "http://user:pass"+canary+"@", 1)
	opts := Options{Header: http.Header{"Authorization": {"Bearer " + canary}, "X-Key": {canary + " &"}}}
	if _, err := Open(t.Context(), base+"/404?a="+canary+"%20%26%3C", opts); err == nil || strings.Contains(err.Error(), canary) || !strings.Contains(err.Error(), "GET /404") {
		t.Error(err)
	}
	opts.Header.Del("Authorization") // that of the URL is sent instead
	in, err := Open(t.Context(), base+"/200?a="+canary, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if a := in.Answer(); strings.Contains(a, canary) || strings.Contains(a, basic("user", "pass"+canary)) || !strings.Contains(a, "GET /200") {
		t.Error(a)
	}
}

func TestOrigin(t *testing.T) {
	for _, same := range [][2]string{{"http://H/x", "http://h:80/y"}, {"https://h", "HTTPS://h:443"}, {"http://[::1]:1", "http://[::1]:1/x"}} {
		if a, b := originOf(t, same[0]), originOf(t, same[1]); a != b {
			t.Errorf("%s, %s", a, b)
		}
	}
	for _, other := range [][2]string{{"http://h", "https://h"}, {"http://h", "http://h:8080"}, {"http://h", "http://a.h"}} {
		if a, b := originOf(t, other[0]), originOf(t, other[1]); a == b {
			t.Errorf("%s, %s", a, b)
		}
	}
}

func originOf(t *testing.T, raw string) string {
	r, err := http.NewRequest("GET", raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	return origin(r.URL)
}
