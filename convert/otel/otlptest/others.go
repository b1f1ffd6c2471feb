package otlptest

import (
	"context"
	"net/http"
	"sync"

	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/pprofile/pprofileotlp"
	"google.golang.org/grpc"
)

// The paths of the signals other than traces.
const (
	MetricsPath  = "/v1/metrics"
	ProfilesPath = "/v1development/profiles"
)

// others counts what a backend got of the other signals, by their paths.
type others struct {
	mu    sync.Mutex
	calls map[string]int
	items map[string]int
}

// Other returns how many requests of a signal there were, and how many data points or
// profiles were accepted.
func (b *Backend) Other(path string) (calls, items int) {
	b.others.mu.Lock()
	defer b.others.mu.Unlock()
	return b.others.calls[path], b.others.items[path]
}

// judgeOther decides on a request with n items.
func (b *Backend) judgeOther(path string, n int) (a Answer) {
	o := &b.others
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.calls == nil {
		o.calls, o.items = make(map[string]int), make(map[string]int)
	}
	o.calls[path]++
	if b.AnswerOther != nil {
		a = b.AnswerOther(path, o.calls[path])
	}
	if a.Status == 0 && a.GRPC == nil && !a.HangUp {
		o.items[path] += n
	}
	return a
}

// otherSignal is how a signal's requests and answers are encoded.
type otherSignal struct {
	count  func(json bool, data []byte) (items int, err error)
	answer func(json bool, rejected int64, message string) ([]byte, error)
}

var otherSignals = map[string]*otherSignal{
	MetricsPath: {
		func(json bool, data []byte) (int, error) {
			r := pmetricotlp.NewExportRequest()
			return count(json, data, r, func() int { return r.Metrics().DataPointCount() })
		},
		func(json bool, rejected int64, message string) ([]byte, error) {
			r := pmetricotlp.NewExportResponse()
			r.PartialSuccess().SetRejectedDataPoints(rejected)
			r.PartialSuccess().SetErrorMessage(message)
			return encode(json, r)
		},
	},
	ProfilesPath: {
		func(json bool, data []byte) (int, error) {
			r := pprofileotlp.NewExportRequest()
			return count(json, data, r, func() int { return r.Profiles().ProfileCount() })
		},
		func(json bool, rejected int64, message string) ([]byte, error) {
			r := pprofileotlp.NewExportResponse()
			r.PartialSuccess().SetRejectedProfiles(rejected)
			r.PartialSuccess().SetErrorMessage(message)
			return encode(json, r)
		},
	},
}

func count(json bool, data []byte, request interface {
	UnmarshalProto([]byte) error
	UnmarshalJSON([]byte) error
}, items func() int) (int, error) {
	decode := request.UnmarshalProto
	if json {
		decode = request.UnmarshalJSON
	}
	err := decode(data)
	return items(), err
}

func encode(json bool, response interface {
	MarshalProto() ([]byte, error)
	MarshalJSON() ([]byte, error)
}) ([]byte, error) {
	if json {
		return response.MarshalJSON()
	}
	return response.MarshalProto()
}

func (b *Backend) serveOther(w http.ResponseWriter, r *http.Request, media string, data []byte, s *otherSignal) {
	json := media == "application/json"
	n, err := s.count(json, data)
	if err == nil && r.URL.Path == ProfilesPath {
		err = pprofileotlp.ValidateDevelopmentVersion(r.Header.Values(pprofileotlp.DevelopmentVersionHeader))
	}
	if err != nil {
		http.Error(w, err.Error(), 400)
		return
	}
	a := b.judgeOther(r.URL.Path, n)
	if a.refused(w, media) {
		return
	}
	answer, _ := s.answer(json, a.Partial.GetRejectedSpans(), a.Partial.GetErrorMessage())
	w.Write(answer)
}

// registerOthers adds the services of the other signals.
func (b *Backend) registerOthers(s *grpc.Server) {
	pmetricotlp.RegisterGRPCServer(s, &metricsServer{b: b})
	pprofileotlp.RegisterGRPCServer(s, &profilesServer{b: b})
}

type metricsServer struct {
	pmetricotlp.UnimplementedGRPCServer
	b *Backend
}

func (s *metricsServer) Export(_ context.Context, r pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	a := s.b.judgeOther(MetricsPath, r.Metrics().DataPointCount())
	response := pmetricotlp.NewExportResponse()
	response.PartialSuccess().SetRejectedDataPoints(a.Partial.GetRejectedSpans())
	response.PartialSuccess().SetErrorMessage(a.Partial.GetErrorMessage())
	return response, a.GRPC
}

type profilesServer struct {
	pprofileotlp.UnimplementedGRPCServer
	b *Backend
}

func (s *profilesServer) Export(_ context.Context, r pprofileotlp.ExportRequest) (pprofileotlp.ExportResponse, error) {
	a := s.b.judgeOther(ProfilesPath, r.Profiles().ProfileCount())
	response := pprofileotlp.NewExportResponse()
	response.PartialSuccess().SetRejectedProfiles(a.Partial.GetRejectedSpans())
	response.PartialSuccess().SetErrorMessage(a.Partial.GetErrorMessage())
	return response, a.GRPC
}
