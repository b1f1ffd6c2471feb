package chromium

import (
	"encoding/json"
	"fmt"
	"slices"
)

// record is what a page did since it was opened.
type record struct {
	problems, requests []string
}

// Watch is Open of a page whose errors and requests are recorded.
func (b *Browser) Watch(url string) (*Page, error) { return b.open(url, true) }

func (p *Page) watch() error {
	b := p.browser
	b.mu.Lock()
	if b.watched == nil {
		b.watched = make(map[string]*record)
	}
	b.watched[p.session] = &record{}
	b.mu.Unlock()
	for _, domain := range []string{"Runtime", "Log", "Network", "Page"} {
		if err := b.call(p.session, domain+".enable", nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// add adds an event.
func (r *record) add(a *answer) {
	var e struct {
		Entry            struct{ Level, Text, URL string }
		ExceptionDetails struct {
			Text      string
			Exception struct{ Description string }
		}
		Type    string
		Args    []struct{ Value, Description any }
		Request struct{ URL string }
	}
	if json.Unmarshal(a.Params, &e) != nil {
		return
	}
	switch a.Method {
	case "Log.entryAdded":
		if e.Entry.Level == "error" || e.Entry.Level == "warning" {
			r.problems = append(r.problems, fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
		}
	case "Runtime.exceptionThrown":
		r.problems = append(r.problems, e.ExceptionDetails.Text+" "+e.ExceptionDetails.Exception.Description)
	case "Runtime.consoleAPICalled":
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			r.problems = append(r.problems, fmt.Sprint(e.Type, " ", e.Args))
		}
	case "Network.requestWillBeSent":
		r.requests = append(r.requests, e.Request.URL)
	}
}

// Problems returns the errors and warnings of a page that is watched: those on its
// console, also by its content security policy, and exceptions.
func (p *Page) Problems() []string {
	p.browser.mu.Lock()
	defer p.browser.mu.Unlock()
	return slices.Clone(p.browser.watched[p.session].problems)
}

// Requests returns the URLs that a page that is watched has asked for.
func (p *Page) Requests() []string {
	p.browser.mu.Lock()
	defer p.browser.mu.Unlock()
	return slices.Clone(p.browser.watched[p.session].requests)
}
