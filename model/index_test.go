package model_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/trace2x/trace2x/internal/testtrace"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/modeltest"
)

// TestIndex: windows read with an index, by several goroutines, are those read in order,
// in traces of all versions and damaged ones.
func TestIndex(t *testing.T) {
	check := func(t *testing.T, data []byte, windows int) {
		t.Helper()
		index, err := model.NewIndex(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			var want, format *model.FormatError
			if _, inOrder := model.Read(t.Context(), bytes.NewReader(data), model.NopSink{}); !errors.As(inOrder, &want) || !errors.As(err, &format) || *want != *format {
				t.Fatalf("%v, in order %v", err, inOrder)
			}
			return
		}
		sum, _ := model.Read(t.Context(), bytes.NewReader(data), model.NopSink{})
		if sum == nil {
			sum = new(model.Summary)
		}
		length := float64(sum.End - sum.Start)
		random := rand.New(rand.NewPCG(11, uint64(len(data))))
		var wait sync.WaitGroup
		for range windows {
			from := random.Float64() * 1.1
			w := model.Window{From: model.Moment{Since: time.Duration(length * from)}}
			if n := random.IntN(4); n > 0 {
				w.To.Since = w.From.Since + time.Duration(length*random.Float64()*0.2)
			}
			wait.Go(func() {
				var got, want bytes.Buffer
				gotSum, gotErr := index.ReadWindow(t.Context(), modeltest.NewDump(&got), w)
				wantSum, wantErr := model.ReadWindow(t.Context(), bytes.NewReader(data), modeltest.NewDump(&want), w)
				if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) || !reflect.DeepEqual(gotSum, wantSum) {
					t.Errorf("%v: %+v, %v; in order %+v, %v", w, gotSum, gotErr, wantSum, wantErr)
				}
				if !bytes.Equal(got.Bytes(), want.Bytes()) {
					t.Errorf("%v: %d bytes of calls, in order %d", w, got.Len(), want.Len())
				}
			})
		}
		wait.Wait()
	}
	for _, name := range testtrace.All(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, testtrace.Data(t, name), 4)
		})
	}
	for what, data := range testtrace.Damaged(t, 40) {
		t.Run(what, func(t *testing.T) { check(t, data, 3) })
	}
}

// sectioned is a trace that can be read anywhere, and fails if it is read in order.
type sectioned struct {
	t    *testing.T
	data []byte
}

func (s sectioned) Read([]byte) (int, error) { s.t.Error("it is read in order"); return 0, io.EOF }
func (s sectioned) Section() *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(s.data), 0, int64(len(s.data)))
}

// TestSectioned: windows are read by seeking where that can be done.
func TestSectioned(t *testing.T) {
	data := testtrace.Data(t, "gc")
	w := model.Window{From: model.Moment{Since: 500 * time.Millisecond}, To: model.Moment{Since: 600 * time.Millisecond}}
	var got, want bytes.Buffer
	_, err := model.ReadWindow(t.Context(), sectioned{t, data}, modeltest.NewDump(&got), w)
	_, inOrder := model.ReadWindow(t.Context(), bytes.NewReader(data), modeltest.NewDump(&want), w)
	if err != nil || inOrder != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("%d bytes of calls, %v; in order %d, %v", got.Len(), err, want.Len(), inOrder)
	}
	got.Reset()
	sink := func(last *model.Summary) (model.Sink, error) { return modeltest.NewDump(&got), nil }
	if sum, err := model.ReadSplit(t.Context(), sectioned{t, data}, w, 40*time.Millisecond, sink); err != nil || sum.Start <= 0 || got.Len() == 0 {
		t.Errorf("%+v, %v: %d bytes of calls", sum, err, got.Len())
	}
}
