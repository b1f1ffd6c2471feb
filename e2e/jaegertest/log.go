package jaegertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
)

const logLimit = 64 << 10

// log keeps the end of what Jaeger logs, and learns from it what only the log
// tells: where Jaeger listens. Jaeger logs one JSON object per line.
type log struct {
	ready chan struct{} // closed when Jaeger has logged that it is ready

	mu      sync.Mutex
	text    []byte
	line    []byte // the unfinished last line, until Jaeger is ready
	isReady bool
	at      addresses
}

// addresses are host:port pairs.
type addresses struct {
	query, otlpGRPC, otlpHTTP string
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, b...)
	if excess := len(l.text) - logLimit; excess > 0 {
		l.text = l.text[excess:]
	}
	if !l.isReady {
		l.line = append(l.line, b...)
		for !l.isReady {
			line, rest, whole := bytes.Cut(l.line, []byte("\n"))
			if !whole {
				break
			}
			l.learn(line)
			l.line = rest
		}
	}
	return len(b), nil
}

func (l *log) learn(line []byte) {
	var entry struct {
		Msg      string `json:"msg"`
		Endpoint string `json:"endpoint"`
		HTTPAddr string `json:"http_addr"`
	}
	if json.Unmarshal(line, &entry) != nil {
		return // not every line is JSON: what is wrong with a configuration is plain text
	}
	// The query service has entries with the same texts as the receivers', but
	// without an endpoint.
	switch {
	case entry.Msg == "Query server started":
		l.at.query = entry.HTTPAddr
	case entry.Msg == "Starting GRPC server" && entry.Endpoint != "":
		l.at.otlpGRPC = entry.Endpoint
	case entry.Msg == "Starting HTTP server" && entry.Endpoint != "":
		l.at.otlpHTTP = entry.Endpoint
	case strings.HasPrefix(entry.Msg, "Everything is ready."):
		l.isReady = true
		close(l.ready)
	}
}

// listening returns where Jaeger listens, once it is ready.
func (l *log) listening() (addresses, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.at
	if at.query == "" || at.otlpGRPC == "" || at.otlpHTTP == "" {
		return at, errors.New("Jaeger does not log where it listens, as version " + version + " of its module does")
	}
	return at, nil
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// addTo returns err together with the log.
func (l *log) addTo(err error) error {
	return fmt.Errorf("%w; log:\n%s", err, strings.TrimSpace(l.String()))
}
