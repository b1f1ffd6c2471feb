package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/trace2x/trace2x/internal/input"
	"github.com/trace2x/trace2x/internal/output"
	"github.com/trace2x/trace2x/model"
)

func newCapture(e *env) *cobra.Command {
	var src source
	var dest destination
	cmd := &cobra.Command{
		Use:   "capture URL",
		Short: "Record the trace of a running program into a file",
		Long: `capture keeps the Go execution trace of a running program as it is, for trace2x
and go tool trace.

URL is http or https. The address of a program that imports net/http/pprof is
enough (http://localhost:6060): it is traced for --seconds. Without -o, the output
is in the working directory, with the ending .trace. Its name has the host and the
time, or is the name of the file behind the URL. A file that exists is not
overwritten, unless --force is given.

Ctrl-C ends a recording early, when the current part of about a second is complete.
A second Ctrl-C ends it at once, and what has arrived is kept as a truncated trace.
A third one gives it up.

` + secretsHelp,
		Example: `  # five seconds, into localhost-6060-20261126-130507.trace
  trace2x capture http://localhost:6060

  # ten seconds of a program whose profiles are elsewhere
  trace2x capture --seconds 10 -o trace.out https://checkout.example/admin/debug/pprof`,
		Args:              oneURL,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !input.IsURL(args[0]) {
				return fmt.Errorf("%s is not an http or https URL, as in %s http://localhost:6060", shown(args[0]), cmd.CommandPath())
			}
			from, err := src.locate(args[0])
			if err != nil {
				return err
			}
			e.ran = true
			name := cmp.Or(dest.out, outputName(from, ".trace"))
			return capture(cmd.Context(), e, from, dest.target(e, name, output.Recording, from))
		},
	}
	f := cmd.Flags()
	dest.addFlags(f, "write to `FILE`, - for standard output; compressed if it ends in .gz")
	src.addSeconds(f)
	src.addHeader(f, "header")
	return cmd
}

// oneURL returns an error unless there is one argument, URL.
func oneURL(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%d arguments: it is one URL, as in %s http://localhost:6060", len(args), cmd.CommandPath())
	}
	return nil
}

func capture(ctx context.Context, e *env, from location, to output.Target) error {
	if err := to.Check(); err != nil {
		return err
	}
	start := time.Now()
	in, done, err := e.open(ctx, from)
	if err != nil {
		return err
	}
	defer in.Close()
	defer done()
	r := &failingReader{r: in}
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(512)
	if len(head) == 0 && err != io.EOF {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%s: %w", in.Name, err)
	}
	if err := model.CheckHeader(head); err != nil {
		return inInput(in, err)
	}
	out, err := output.Create(to)
	if err != nil {
		return err
	}
	defer out.Discard()
	if _, err := io.Copy(out, br); err != nil && r.err == nil {
		return err
	}
	done()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := e.commit(out); err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "%s: %s in %v\n", outName(out.Name()), byteCount(out.Size()), time.Since(start).Round(time.Millisecond))
	if r.err != nil {
		return fmt.Errorf("%s: truncated to what arrived: %w", outName(out.Name()), r.err)
	}
	return nil
}

// failingReader keeps the error of a reader, to distinguish it from one of a writer.
type failingReader struct {
	r   io.Reader
	err error // other than io.EOF
}

func (f *failingReader) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}
