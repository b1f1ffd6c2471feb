package main

import (
	"fmt"

	"github.com/trace2x/trace2x/internal/serve"
)

// browse opens a link in the browser, unless the user wants none, and returns the error
// with which serving has ended. If no browser can be opened, it warns and goes on: the
// link has been printed.
func (e *env) browse(link string, noBrowser bool, ended <-chan error) error {
	var failed <-chan error
	if !noBrowser {
		failed = serve.OpenBrowser(link)
	}
	for {
		select {
		case err := <-failed:
			fmt.Fprintf(e.stderr, "warning: no browser was opened (%v): open the address in one\n", err)
			failed = nil
		case err := <-ended:
			return err
		}
	}
}
