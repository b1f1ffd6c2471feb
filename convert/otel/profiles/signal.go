package profiles

import (
	"go.opentelemetry.io/collector/pdata/pprofile"

	"github.com/trace2x/trace2x/convert/otel"
)

// Signal is the signal of a [Collector]. Its requests are profiles as
// pprofile.ProtoMarshaler encodes them.
var Signal = &otel.Signal{
	Name:          "profiles",
	Items:         "profiles",
	Path:          "/v1development/profiles",
	Method:        "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
	RejectedField: "rejectedProfiles",
	// Each version of the format is a format of its own, as long as it is not stable.
	Headers: map[string]string{"otlp-profiles-development-version": "1"},
	Advice:  "the Collector takes profiles only with --feature-gates=+service.profilesSupport",
	JSON: func(request []byte) ([]byte, int, error) {
		p, err := new(pprofile.ProtoUnmarshaler).UnmarshalProfiles(request)
		if err != nil {
			return nil, 0, err
		}
		text, err := new(pprofile.JSONMarshaler).MarshalProfiles(p)
		return text, 1, err
	},
}
