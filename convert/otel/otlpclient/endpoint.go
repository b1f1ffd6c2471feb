package otlpclient

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"path"
	"strings"

	"github.com/trace2x/trace2x/convert/otel"
	"github.com/trace2x/trace2x/internal/address"
)

func (o *Options) protocol() (string, error) {
	key, value := "protocol", o.Protocol
	if value == "" {
		key, value = o.variable("PROTOCOL")
	}
	switch value {
	case "":
		return "http/protobuf", nil
	case "grpc", "http/protobuf", "http/json":
		return value, nil
	default:
		return "", fmt.Errorf("%s: %q is neither grpc, http/protobuf nor http/json", key, value)
	}
}

// endpoint returns the option or the variable, and where it comes from. whole says that
// nothing is to be added to its path: it is the environment's endpoint for the signal alone.
func (o *Options) endpoint() (key, value string, whole bool) {
	if o.Endpoint != "" {
		return "endpoint", o.Endpoint, false
	}
	key, value = o.variable("ENDPOINT")
	return key, value, key == o.ownVariables()+"ENDPOINT"
}

// insecure reports whether an endpoint without a scheme has no TLS.
func (o *Options) insecure() bool {
	_, value := o.variable("INSECURE")
	return o.Insecure || strings.EqualFold(value, "true")
}

// httpEndpoint returns the URL to send requests to.
func (o *Options) httpEndpoint() (*url.URL, error) {
	key, value, whole := o.endpoint()
	own := o.signal().Path
	if value == "" {
		return &url.URL{Scheme: "http", Host: "localhost:4318", Path: own}, nil
	}
	u, err := o.parseURL(key, value, "4318")
	if err != nil {
		return nil, err
	}
	switch {
	case whole:
		u.Path = cmp.Or(u.Path, "/")
	case o.Endpoint != "" && own != otel.Traces.Path && strings.HasSuffix(u.Path, otel.Traces.Path):
		return nil, fmt.Errorf("%s: %s is where traces go: give the URL without it to send %s", key, otel.Traces.Path, o.signal().Name)
	case o.Endpoint == "" || !strings.HasSuffix(u.Path, own):
		u.Path = path.Join("/", u.Path, own)
	}
	return u, nil
}

type grpcEndpoint struct {
	address string // a target of gRPC
	tls     bool
}

func (o *Options) grpcEndpoint() (grpcEndpoint, error) {
	key, value, _ := o.endpoint()
	if value == "" {
		return grpcEndpoint{address: "localhost:4317"}, nil
	}
	switch scheme, rest, _ := strings.Cut(value, ":"); scheme {
	case "unix", "unix-abstract":
		return grpcEndpoint{address: value}, nil
	case "dns", "passthrough", "ipv4", "ipv6":
		if strings.ContainsAny(rest, "@?#") {
			return grpcEndpoint{}, fmt.Errorf("%s: %s: takes only hosts and ports", key, scheme)
		}
		return grpcEndpoint{address: value, tls: !o.insecure()}, nil
	}
	u, err := o.parseURL(key, value, "4317")
	if err != nil {
		return grpcEndpoint{}, err
	}
	e := grpcEndpoint{address: u.Host, tls: u.Scheme == "https"}
	if u.Port() == "" { // gRPC's own default is 443 for both
		e.address += map[bool]string{false: ":4317", true: ":443"}[e.tls]
	}
	return e, nil
}

// parseURL returns the URL of an endpoint. HOST:PORT gets a scheme, and a port if it has
// none. A part that would not be sent is an error, which does not show the part: it may
// be a secret.
func (o *Options) parseURL(key, value, port string) (*url.URL, error) {
	full := value
	if !strings.Contains(value, "://") {
		full = "//" + value
	}
	u, err := url.Parse(full)
	if err != nil {
		return nil, fmt.Errorf("%s: not a URL: %w", key, address.Reason(err))
	}
	switch {
	case u.Scheme == "":
		u.Scheme = "https"
		if o.insecure() {
			u.Scheme = "http"
		}
		if u.Hostname() != "" && u.Port() == "" {
			u.Host = net.JoinHostPort(u.Hostname(), port)
		}
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%s: %q is neither http nor https", key, u.Scheme)
	case u.Scheme == "https" && o.Insecure:
		return nil, fmt.Errorf("%s: an https:// URL asks for TLS, insecure for none", key)
	}
	switch {
	case u.User != nil:
		return nil, fmt.Errorf("%s: a user and password are not sent: use a header", key)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%s: what follows the path of a URL is not sent", key)
	case u.Hostname() == "":
		return nil, fmt.Errorf("%s: no host in %q", key, value)
	}
	return u, nil
}
