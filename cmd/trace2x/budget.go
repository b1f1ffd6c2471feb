package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/internal/input"
	"github.com/trace2x/trace2x/internal/output"
	"github.com/trace2x/trace2x/model"
)

// byteSize is a flag for a number of bytes, such as 32MB.
type byteSize int64

var byteUnits = []struct {
	name string
	size float64
}{{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1}, {"", 1}}

func (b *byteSize) Set(s string) error {
	for _, unit := range byteUnits {
		number, ok := strings.CutSuffix(s, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(n >= 0 && n*unit.size < 1e18) {
			break
		}
		*b = byteSize(n * unit.size)
		return nil
	}
	return fmt.Errorf("%q is no size, such as 32MB", s)
}

func (b *byteSize) String() string {
	if *b == 0 {
		return "0"
	}
	for _, unit := range byteUnits {
		if n := float64(*b) / unit.size; n >= 1 {
			return strconv.FormatFloat(n, 'g', -1, 64) + unit.name
		}
	}
	return ""
}

func (b *byteSize) Type() string { return "SIZE" }

// loading says how long the Perfetto UI takes to load a file of a size: as measured with
// v55.3, 7 MB a second, and 12 bytes of memory for each.
func loading(size int64) string {
	took := time.Duration(float64(size) / 7e6 * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("about %v and %s of memory", took, byteCount(200e6+12*size))
}

// maxAttempts is how often a trace is converted to fit into a budget. The estimates of
// the first time are good: more than two times are needed only for small budgets.
const maxAttempts = 8

// narrow has only what is around a unit converted the next time. It lowers no detail: most
// of what is around one unit is small.
func (c *conversion) narrow(path *perfetto.Path) {
	start, end := path.Start-c.place.origin, path.End-c.place.origin
	c.part.From = model.Moment{Since: max(time.Duration(start)-aroundMoment, 0)}
	c.part.To = model.Moment{Since: time.Duration(end) + aroundMoment}
	c.asked = c.part
	c.around = fmt.Sprintf("what is more than %v before or behind the unit", aroundMoment)
	c.opts.LeftOut = c.around
}

// lower has less of the trace converted the next time, after the writer has had it with
// too many bytes.
func (c *conversion) lower(w *perfetto.Writer, attempt int) {
	c.apply(w.Fit(c.aim(attempt)))
}

// aim returns how many bytes the next attempt should make.
func (c *conversion) aim(attempt int) int64 {
	aim := int64(c.budget)
	for range attempt {
		aim = aim * 95 / 100
	}
	return aim
}

// apply has what would fit converted the next time.
func (c *conversion) apply(fit perfetto.Fit) {
	fit.Apply(&c.opts, &c.part, c.asked.To)
	if c.around != "" {
		c.opts.LeftOut = c.around + "; " + c.opts.LeftOut
	}
}

// kept has what was read from an input that cannot be read twice, in a temporary file.
type kept struct {
	folder *output.Folder
	file   *os.File
	err    error
}

// keep returns where to keep what is read of an input. It returns nil for a file, which
// can be read again.
func keep(from location) (*kept, error) {
	if from.name != "-" && !input.IsURL(from.name) {
		info, err := os.Stat(from.name)
		if err != nil || info.Mode().IsRegular() {
			return nil, nil // input.Open reports it
		}
	}
	folder, err := output.TempFolder()
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(folder.Path, "trace"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		folder.Remove()
		return nil, err
	}
	return &kept{folder: folder, file: file}, nil
}

// Write keeps p. It does not fail: if there is no room, the input is not there again.
func (k *kept) Write(p []byte) (int, error) {
	if k.err == nil {
		_, k.err = k.file.Write(p)
	}
	return len(p), nil
}

// again returns where what was read from an input can be read again.
func (k *kept) again(from location) (location, error) {
	switch {
	case k == nil:
		return from, nil
	case k.err != nil:
		return from, fmt.Errorf("the output has more bytes than --budget, and there is no room to keep the input and convert it again: %w", k.err)
	}
	return location{name: k.file.Name()}, nil
}

func (k *kept) remove() {
	if k != nil {
		k.file.Close()
		k.folder.Remove()
	}
}

// draft is where an attempt to convert writes. If it is limited, it has no more bytes than
// the budget.
type draft struct {
	io.Writer
	limited bool
	out     *output.Output
	// The file has what is written, until it is accepted; nil if out can be taken back.
	file   *os.File
	folder *output.Folder
}

// draft returns where to write what may be too much for out. The caller must close it.
func (c *conversion) draft(out *output.Output, attempt int) (*draft, error) {
	d := &draft{Writer: out, limited: c.budget > 0 && attempt < maxAttempts, out: out}
	if !d.limited {
		return d, nil
	}
	var to io.Writer = out
	if out.Direct() {
		var err error
		if d.folder, err = output.TempFolder(); err != nil {
			return nil, err
		}
		if d.file, err = os.CreateTemp(d.folder.Path, "draft-*"); err != nil {
			d.folder.Remove()
			return nil, err
		}
		to = d.file
	}
	d.Writer = output.UpTo(to, int64(c.budget))
	return d, nil
}

// accept writes the draft to the output.
func (d *draft) accept() error {
	if d.file == nil {
		return nil
	}
	if _, err := d.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(d.out, d.file)
	return err
}

func (d *draft) close() {
	if d.file != nil {
		d.file.Close()
		d.folder.Remove()
	}
}
