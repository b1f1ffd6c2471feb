package decode

import (
	"bufio"
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/trace2x/trace2x/internal/testtrace"
)

// TestReadAndLost: wherever a trace of any version is cut or overwritten, each byte of
// it is in a generation that is read or in one that is said to be lost, and no fewer
// events are read than golang.org/x/exp/trace reads by itself.
func TestReadAndLost(t *testing.T) {
	tried := 0
	for name, data := range testtrace.Damaged(t, 2000) {
		tried++
		got := readAll(t, bytes.NewReader(data))
		if format := (*FormatError)(nil); errors.As(got.err, &format) {
			if exp := inSequence(t, data); len(exp.events) > 0 {
				t.Errorf("%s: %v; golang.org/x/exp/trace reads %d events", name, got.err, len(exp.events))
			}
			continue
		} else if got.err != nil {
			t.Errorf("%s: %v", name, got.err)
			continue
		}
		// It takes a generation that is cut for a whole one, and ends each with a Sync.
		if exp := inSequence(t, data); len(got.events)-got.syncs < len(exp.events)-exp.syncs {
			t.Errorf("%s: %d events, golang.org/x/exp/trace reads %d: %v", name, len(got.events), len(exp.events), got.damages)
		}
		minor, _ := parseHeader(data)
		v, _ := versionOf(minor)
		if v.era == whole {
			if len(got.damages) > 1 || len(got.damages) == 1 && got.damages[0].Lost != int64(len(data)-headerSize) {
				t.Errorf("%s: %v", name, got.damages)
			}
			continue
		}
		checkAccounts(t, name, data, v, got)
	}
	if !testing.Short() && tried < 4000 {
		t.Errorf("only %d traces", tried)
	}
}

// checkAccounts holds what was read against the sizes of the generations.
func checkAccounts(t *testing.T, name string, data []byte, v version, got reading) {
	t.Helper()
	s := splitter{r: bufio.NewReaderSize(bytes.NewReader(data[headerSize:]), bufferSize), err: &errorKeeper{}, version: v, offset: headerSize}
	var sizes []int64
	total := int64(headerSize)
	for p := s.next(); p != nil; p = s.next() {
		if p.offset != total {
			t.Errorf("%s: generation %d begins at byte %d, the one before ends at %d", name, p.number+1, p.offset, total)
		}
		sizes = append(sizes, p.size)
		total += p.size
	}
	if total != int64(len(data)) {
		t.Errorf("%s: the generations end at byte %d of %d", name, total, len(data))
	}
	read := slices.Clone(sizes)
	for _, d := range got.damages {
		left := d.Lost
		i := d.Generations
		for ; left > 0 && i < len(sizes); i++ {
			left -= sizes[i]
			if read[i] < 0 {
				t.Errorf("%s: generation %d is lost twice: %v", name, i+1, got.damages)
			}
			read[i] = -1
		}
		if left != 0 || d.Lost == 0 && len(data) > headerSize {
			t.Errorf("%s: %v: not the size of generations from number %d of %v on", name, d, d.Generations+1, sizes)
		}
	}
	n := 0
	for _, size := range read {
		if size >= 0 {
			n++
		}
	}
	// A trace that is no more than its header has one generation of no bytes.
	if n != got.whole && len(data) > headerSize {
		t.Errorf("%s: %d generations are neither lost nor read: %d of %d, %v", name, n-got.whole, got.whole, len(sizes), got.damages)
	}
}
