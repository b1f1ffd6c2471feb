package otlpclient

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// variable returns what the environment has for the signal, or else for all signals,
// under a name such as ENDPOINT. An empty variable is none.
func (o *Options) variable(name string) (key, value string) {
	for _, prefix := range []string{o.ownVariables(), "OTEL_EXPORTER_OTLP_"} {
		if v := strings.TrimSpace(os.Getenv(prefix + name)); v != "" {
			return prefix + name, v
		}
	}
	return "", ""
}

// ownVariables returns how the names of the signal's own variables begin.
func (o *Options) ownVariables() string {
	return "OTEL_EXPORTER_OTLP_" + strings.ToUpper(o.signal().Name) + "_"
}

func (o *Options) timeoutVariable() (time.Duration, error) {
	key, value := o.variable("TIMEOUT")
	if value == "" {
		return defaultTimeout, nil
	}
	ms, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%s: %q is not a number of milliseconds", key, value)
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// gzipVariable returns for which addresses of backends requests are compressed. Without
// the variable, those to this machine are not: compression takes a third of the time.
func (o *Options) gzipVariable() (wanted func(address string) bool, err error) {
	switch key, value := o.variable("COMPRESSION"); value {
	case "":
		return func(address string) bool { return !onLoopback(address) }, nil
	case "gzip":
		return func(string) bool { return true }, nil
	case "none":
		return func(string) bool { return false }, nil
	default:
		return nil, fmt.Errorf("%s: %q is neither gzip nor none", key, value)
	}
}

// onLoopback reports whether an address, HOST or HOST:PORT, is on this machine.
func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback() || strings.HasPrefix(address, "unix:")
}

// tlsVariables reads the files with certificates that the environment names.
func (o *Options) tlsVariables() (*tls.Config, error) {
	config := new(tls.Config)
	if key, name := o.variable("CERTIFICATE"); name != "" {
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: no certificate in %s", key, name)
		}
	}
	certKey, cert := o.variable("CLIENT_CERTIFICATE")
	keyKey, key := o.variable("CLIENT_KEY")
	if cert != "" && key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", certKey, keyKey, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
