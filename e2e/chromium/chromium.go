// Package chromium runs a real headless Chromium, so that tests see a page do
// what it does in a user's browser.
//
// It drives the browser with the DevTools protocol over two pipes: no port is
// open, and the browser ends with the test, whichever way that ends. Each
// browser has a profile of its own. The package needs chromium (or
// google-chrome) in PATH. It knows only what the tests here need of the
// protocol: to open pages, to run JavaScript in them, to use the mouse and the keyboard,
// to grant permissions, and to hear of errors and requests.
package chromium

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	exitTimeout = 10 * time.Second
	waitTimeout = time.Minute
	logLimit    = 16 << 10
)

// programs are the names under which systems have the browser.
var programs = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// find returns the browser's program.
func find() (string, error) {
	for _, name := range programs {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("none of %s is in PATH: make deps installs it", strings.Join(programs, ", "))
}

// baseFlags are the command line of a browser without a window that keeps to
// itself: its profile is this folder, and it calls nobody at home.
func baseFlags(profile string) []string {
	flags := []string{
		"--headless",
		"--user-data-dir=" + profile,
		"--no-first-run", "--no-default-browser-check", "--disable-gpu",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--disable-dev-shm-usage", // containers have little of it
		// The test's own servers are on this machine.
		"--no-proxy-server",
		"--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost , EXCLUDE *.localhost",
	}
	if os.Getuid() == 0 {
		flags = append(flags, "--no-sandbox") // root has no other way
	}
	return flags
}

// A Browser is a running process. It may be used from several goroutines.
type Browser struct {
	ctx     context.Context
	cmd     *exec.Cmd
	log     log
	profile string

	mu      sync.Mutex
	w       io.WriteCloser
	last    int
	pending map[int]chan<- answer
	watched map[string]*record // by session
	ended   bool

	close func() error
}

// answer is a message from the browser: the result of a call, or an event, which is
// ignored if it is not of a page that is watched.
type answer struct {
	ID     int
	Result json.RawMessage
	Error  *struct{ Message string }

	SessionID, Method string
	Params            json.RawMessage
}

// Start starts a browser with additional flags. When ctx is done the process is killed.
// Otherwise the caller ends it with Close.
func Start(ctx context.Context, flags ...string) (*Browser, error) {
	path, err := find()
	if err != nil {
		return nil, fmt.Errorf("chromium: %w", err)
	}
	b := &Browser{ctx: ctx, pending: make(map[int]chan<- answer)}
	b.close = sync.OnceValue(b.end)
	if b.profile, err = os.MkdirTemp("", "trace2x-chromium-"); err != nil {
		return nil, err
	}
	if err := b.start(path, flags); err != nil {
		os.RemoveAll(b.profile)
		return nil, fmt.Errorf("chromium: start: %w", err)
	}
	// The first answer shows that it runs.
	if err := b.call("", "Browser.getVersion", nil, nil); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *Browser) start(path string, flags []string) error {
	// The browser reads from its descriptor 3 and writes to 4.
	in, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer in.Close()
	r, out, err := os.Pipe()
	if err != nil {
		w.Close()
		return err
	}
	defer out.Close()
	b.w = w
	b.cmd = exec.CommandContext(b.ctx, path, append(append(baseFlags(b.profile), "--remote-debugging-pipe"), flags...)...)
	b.cmd.ExtraFiles = []*os.File{in, out}
	b.cmd.Stderr = &b.log
	b.cmd.WaitDelay = exitTimeout
	if err := b.cmd.Start(); err != nil {
		w.Close()
		r.Close()
		return err
	}
	go b.receive(r)
	return nil
}

// receive hands answers to those who wait for them, until the browser ends.
func (b *Browser) receive(r io.ReadCloser) {
	defer r.Close()
	br := bufio.NewReader(r)
	for {
		message, err := br.ReadBytes(0)
		if err != nil {
			break
		}
		var a answer
		if json.Unmarshal(bytes.TrimSuffix(message, []byte{0}), &a) != nil {
			continue
		}
		b.mu.Lock()
		if r := b.watched[a.SessionID]; r != nil && a.ID == 0 {
			r.add(&a)
		}
		if c := b.pending[a.ID]; c != nil {
			c <- a
			delete(b.pending, a.ID)
		}
		b.mu.Unlock()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	for id, c := range b.pending {
		close(c)
		delete(b.pending, id)
	}
}

// call calls a method of the protocol, in a page's session unless that is "",
// and decodes its result into out, if that is not nil.
func (b *Browser) call(session, method string, params, out any) error {
	message := struct {
		ID        int    `json:"id"`
		Session   string `json:"sessionId,omitempty"`
		Method    string `json:"method"`
		Parameter any    `json:"params,omitempty"`
	}{Session: session, Method: method, Parameter: params}
	c := make(chan answer, 1)
	err := func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.ended {
			return errors.New("the browser has ended")
		}
		b.last++
		message.ID = b.last
		data, err := json.Marshal(message)
		if err != nil {
			return err
		}
		b.pending[message.ID] = c
		_, err = b.w.Write(append(data, 0))
		return err
	}()
	if err != nil {
		return fmt.Errorf("chromium: %s: %w", method, err)
	}
	select {
	case a, ok := <-c:
		switch {
		case !ok:
			return fmt.Errorf("chromium: %s: the browser has ended: %s", method, &b.log)
		case a.Error != nil:
			return fmt.Errorf("chromium: %s: %s", method, a.Error.Message)
		case out != nil:
			return json.Unmarshal(a.Result, out)
		}
		return nil
	case <-b.ctx.Done():
		return fmt.Errorf("chromium: %s: %w", method, b.ctx.Err())
	}
}

// Close ends the browser and removes its profile.
func (b *Browser) Close() error { return b.close() }

func (b *Browser) end() error {
	b.w.Close() // at which the browser ends
	timer := time.AfterFunc(exitTimeout, func() { b.cmd.Process.Kill() })
	defer timer.Stop()
	b.cmd.Wait()
	// Its children may still be writing.
	var err error
	for range 50 {
		if err = os.RemoveAll(b.profile); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("chromium: remove %s: %w", filepath.Base(b.profile), err)
}

// Grant lets an origin do what the browser would ask the user for, as in
// "loopbackNetwork".
func (b *Browser) Grant(origin string, permissions ...string) error {
	return b.call("", "Browser.grantPermissions", map[string]any{"origin": origin, "permissions": permissions}, nil)
}

// A Page is what a tab shows.
type Page struct {
	URL string // when it was opened or found

	browser *Browser
	session string
}

// Open opens a URL in a new tab, as a user does, and waits until it is there.
func (b *Browser) Open(url string) (*Page, error) { return b.open(url, false) }

func (b *Browser) open(url string, watch bool) (*Page, error) {
	var target struct{ TargetID string }
	if err := b.call("", "Target.createTarget", map[string]any{"url": "about:blank"}, &target); err != nil {
		return nil, err
	}
	p, err := b.attach(target.TargetID, url)
	if err != nil {
		return nil, err
	}
	if watch {
		if err := p.watch(); err != nil {
			return nil, err
		}
	}
	var nav struct{ ErrorText string }
	if err := b.call(p.session, "Page.navigate", map[string]any{"url": url}, &nav); err != nil {
		return nil, err
	}
	if nav.ErrorText != "" {
		return nil, fmt.Errorf("chromium: %s: %s", url, nav.ErrorText)
	}
	return p, p.Wait(`location.href != "about:blank" && document.readyState == "complete"`)
}

func (b *Browser) attach(target, url string) (*Page, error) {
	p := &Page{URL: url, browser: b}
	var session struct{ SessionID string }
	err := b.call("", "Target.attachToTarget", map[string]any{"targetId": target, "flatten": true}, &session)
	p.session = session.SessionID
	return p, err
}

// Pages returns what is open.
func (b *Browser) Pages() ([]*Page, error) {
	var targets struct {
		TargetInfos []struct{ TargetID, Type, URL string }
	}
	if err := b.call("", "Target.getTargets", nil, &targets); err != nil {
		return nil, err
	}
	var pages []*Page
	for _, t := range targets.TargetInfos {
		if t.Type != "page" {
			continue
		}
		p, err := b.attach(t.TargetID, t.URL)
		if err != nil {
			return nil, err
		}
		pages = append(pages, p)
	}
	return pages, nil
}

// Eval evaluates JavaScript in the page, awaits what it promises, and decodes the
// result into out, if that is not nil. What the JavaScript throws is an error.
func (p *Page) Eval(script string, out any) error { return p.eval(script, false, out) }

// Click clicks on the element that the selector finds. Unlike with Eval, the page may
// then do what only a user may start, such as opening a tab.
func (p *Page) Click(selector string) error {
	return p.eval(fmt.Sprintf("document.querySelector(%q).click()", selector), true, nil)
}

func (p *Page) eval(script string, byUser bool, out any) error {
	var result struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	err := p.browser.call(p.session, "Runtime.evaluate", map[string]any{
		"expression": script, "awaitPromise": true, "returnByValue": true, "userGesture": byUser,
	}, &result)
	switch e := result.ExceptionDetails; {
	case err != nil:
		return err
	case e != nil:
		return fmt.Errorf("%s: %s %s", p.URL, e.Text, e.Exception.Description)
	case out != nil && result.Result.Value != nil:
		return json.Unmarshal(result.Result.Value, out)
	}
	return nil
}

// Wait waits until an expression is true in the page.
func (p *Page) Wait(expression string) error {
	deadline := time.Now().Add(waitTimeout)
	for {
		var ok bool
		err := p.Eval("!!("+expression+")", &ok)
		switch {
		case ok:
			return nil
		case time.Now().After(deadline):
			// An error may have been one of a page that was being left.
			return errors.Join(fmt.Errorf("%s: for %v it was not true that %s", p.URL, waitTimeout, expression), err)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-p.browser.ctx.Done():
			return p.browser.ctx.Err()
		}
	}
}

// log keeps the end of what the browser writes to stderr.
type log struct {
	mu   sync.Mutex
	data []byte
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.data = append(l.data, p...)
	if n := len(l.data) - logLimit; n > 0 {
		l.data = append(l.data[:0], l.data[n:]...)
	}
	return len(p), nil
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.data)
}
