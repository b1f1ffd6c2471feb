package otlpclient

import (
	"fmt"
	"maps"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// headers returns the headers of the variables and of the options, by their names in
// lower case.
func (o *Options) headers() (map[string]string, error) {
	headers, err := o.headersVariable()
	if err != nil {
		return nil, err
	}
	maps.Copy(headers, o.signal().Headers)
	for k, v := range o.Headers {
		if !httpguts.ValidHeaderFieldName(k) {
			return nil, fmt.Errorf("header %q: not a valid name", name(k))
		}
		if !httpguts.ValidHeaderFieldValue(v) {
			return nil, fmt.Errorf("header %q: not a valid value", k)
		}
		headers[strings.ToLower(k)] = v
	}
	return headers, nil
}

// headersVariable returns the headers of the variables, KEY=VALUE,KEY=VALUE with values
// that are percent-encoded. What cannot be read is an error: without a header that the
// user wanted, the spans may get to somebody else, or nowhere.
func (o *Options) headersVariable() (map[string]string, error) {
	headers := make(map[string]string)
	variable, list := o.variable("HEADERS")
	for i, pair := range strings.Split(list, ",") {
		pair = strings.TrimSpace(pair)
		if pair == "" {
			continue
		}
		wrong := func(what string, key string) error {
			// What is no pair may be a secret from its beginning.
			which := fmt.Sprintf("entry %d", i+1)
			if key != "" {
				which = fmt.Sprintf("%q", key)
			}
			return fmt.Errorf("%s: %s %s; it is KEY=VALUE,KEY=VALUE with values that are percent-encoded", variable, which, what)
		}
		k, v, ok := strings.Cut(pair, "=")
		k = strings.TrimSpace(k)
		switch {
		case !ok:
			return nil, wrong("has no =", name(pair))
		case !httpguts.ValidHeaderFieldName(k):
			return nil, wrong("is not the name of a header", name(k))
		}
		v, err := url.PathUnescape(strings.TrimSpace(v))
		if err != nil {
			return nil, wrong("has a value with a % that encodes nothing", k)
		}
		if !httpguts.ValidHeaderFieldValue(v) {
			return nil, wrong("has a value with a control character", k)
		}
		headers[strings.ToLower(k)] = v
	}
	return headers, nil
}

// name returns the name of a header at the beginning of a text such as "Name: value",
// and "" if that may be something else.
func name(s string) string {
	k, _, ok := strings.Cut(s, ":")
	if !ok || !httpguts.ValidHeaderFieldName(k) {
		return ""
	}
	return k
}

// secretsOf returns a replacer that hides the values of headers. Some backends repeat
// them in their answers.
func secretsOf(headers map[string]string) *strings.Replacer {
	const shortest = 6 // what is shorter is also a part of other words
	var pairs []string
	for _, v := range headers {
		// Whole, and without a scheme such as Bearer.
		for _, secret := range append([]string{v}, strings.Fields(v)...) {
			if len(secret) >= shortest && !strings.EqualFold(secret, "Bearer") && !strings.EqualFold(secret, "Basic") {
				pairs = append(pairs, secret, "…")
			}
		}
	}
	return strings.NewReplacer(pairs...)
}
