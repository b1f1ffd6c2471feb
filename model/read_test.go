package model_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/model/modeltest"
)

// traces returns the traces of the repository.
func traces(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../testdata/traces/*.trace")
	if err != nil || len(files) == 0 {
		t.Fatalf("no traces in testdata: %v", err)
	}
	return files
}

func TestInvariants(t *testing.T) {
	for _, file := range traces(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			v := modeltest.NewValidator(model.NopSink{})
			sum, err := model.Read(context.Background(), bytes.NewReader(data), v)
			var damage *model.Damage
			var format *model.FormatError
			switch {
			case errors.As(err, &format):
				t.Log(err)
				return
			case errors.As(err, &damage):
				t.Log(err)
			case err != nil:
				t.Fatal(err)
			}
			for _, err := range v.Errors {
				t.Error(err)
			}
			t.Logf("%d events, %d goroutines, %d generations, unknown %v", sum.Events, sum.Goroutines, sum.Generations, sum.Unknown)
		})
	}
}
