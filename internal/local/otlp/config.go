package otlp

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/outbound"
)

// Config says where the signals go; a Client without a URL is for one that is not exported.
type Config struct {
	Traces, Metrics, Logs Client
	Interval              time.Duration // between two exports of metrics
}

// Configure reads the variables of https://opentelemetry.io/docs/specs/otel/protocol/exporter/. endpoint and header, when not empty, come before
// them; endpoint is what OTEL_EXPORTER_OTLP_ENDPOINT is, the URL below which the signals have their paths.
func Configure(endpoint string, header http.Header, env func(string) string) (c Config, err error) {
	if strings.EqualFold(env("OTEL_SDK_DISABLED"), "true") {
		return c, nil
	}
	for _, s := range []struct {
		name, path string
		to         *Client
	}{{"TRACES", "v1/traces", &c.Traces}, {"METRICS", "v1/metrics", &c.Metrics}, {"LOGS", "v1/logs", &c.Logs}} {
		if *s.to, err = clientFor(s.name, s.path, endpoint, header, env); err != nil {
			return Config{}, err
		}
	}
	c.Interval = time.Minute
	if text := env("OTEL_METRIC_EXPORT_INTERVAL"); text != "" {
		ms, err := strconv.Atoi(text)
		if err != nil || ms < 1000 {
			return Config{}, badVariable("OTEL_METRIC_EXPORT_INTERVAL", text, "Set milliseconds, 1000 or more.")
		}
		c.Interval = time.Duration(ms) * time.Millisecond
	}
	return c, nil
}

func badVariable(name, value, hint string) error {
	return anchor.Invalid("bad_otlp", "the variable %s is %q, which Anchor cannot use", name, value).Hintf("%s", hint)
}

func clientFor(signal, path, endpoint string, header http.Header, env func(string) string) (Client, error) {
	switch exporter := env("OTEL_" + signal + "_EXPORTER"); exporter {
	case "", "otlp":
	case "none":
		return Client{}, nil
	default:
		return Client{}, badVariable("OTEL_"+signal+"_EXPORTER", exporter, "Set otlp or none.")
	}
	to, err := urlFor(signal, path, endpoint, env)
	if err != nil || to == "" {
		return Client{}, err
	}
	if len(header) == 0 {
		header, err = headersFor(signal, env)
	}
	if err != nil {
		return Client{}, err
	}
	by, err := senderFor(signal, env)
	return Client{URL: to, Header: header, By: by}, err
}

// ofSignal returns the variable of one signal, or that of all, with its name.
func ofSignal(signal, what string, env func(string) string) (name, value string) {
	name = "OTEL_EXPORTER_OTLP_" + signal + "_" + what
	if value = env(name); value == "" {
		name = "OTEL_EXPORTER_OTLP_" + what
		value = env(name)
	}
	return name, value
}

// senderFor reads the timeout and the certificates of a signal.
func senderFor(signal string, env func(string) string) (by outbound.Client, err error) {
	if name, text := ofSignal(signal, "TIMEOUT", env); text != "" {
		ms, err := strconv.Atoi(text)
		if err != nil || ms < 1 {
			return by, badVariable(name, text, "Set milliseconds, 1 or more.")
		}
		by.Timeout = time.Duration(ms) * time.Millisecond
	}
	config, err := certificatesFor(signal, env)
	if config != nil {
		by.HTTP = outbound.New(config)
	}
	return by, err
}

// certificatesFor returns nil where the certificates are those of the system and the client has none.
func certificatesFor(signal string, env func(string) string) (*tls.Config, error) {
	rootsName, roots := ofSignal(signal, "CERTIFICATE", env)
	certName, cert := ofSignal(signal, "CLIENT_CERTIFICATE", env)
	keyName, key := ofSignal(signal, "CLIENT_KEY", env)
	if roots == "" && cert == "" && key == "" {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if roots != "" {
		text, err := os.ReadFile(roots)
		config.RootCAs = x509.NewCertPool()
		if err != nil || !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, badFile(rootsName, roots, "Set the path of a PEM file with the certificates of the collector's CA.", err)
		}
	}
	if cert == "" && key == "" {
		return config, nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, badFile(certName+" with "+keyName, cert, "Set both to the paths of PEM files that belong together.", err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

func badFile(name, path, hint string, cause error) error {
	e := anchor.Invalid("bad_otlp", "the variable %s names %q, which Anchor cannot use", name, path)
	if cause != nil {
		e = anchor.Invalid("bad_otlp", "the variable %s names %q, which Anchor cannot use: %v", name, path, cause).Because(cause)
	}
	return e.Hintf("%s", hint)
}

// urlFor returns "" when the signal is not exported.
func urlFor(signal, path, endpoint string, env func(string) string) (string, error) {
	what := "--otlp-endpoint"
	if endpoint == "" {
		what, endpoint = "OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT", env("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT")
		if endpoint != "" {
			path = "" // it is the whole URL
		} else {
			what, endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT", env("OTEL_EXPORTER_OTLP_ENDPOINT")
		}
		if endpoint == "" {
			return "", nil
		}
		for _, name := range []string{"OTEL_EXPORTER_OTLP_" + signal + "_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
			if protocol := env(name); protocol != "" && protocol != "http/protobuf" {
				return "", badVariable(name, protocol, "Set http/protobuf, and an endpoint that takes it, often on port 4318.")
			}
		}
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", anchor.Invalid("bad_otlp", "%s is not an http or https URL", what).Hintf("Pass the URL of a collector that takes OTLP over HTTP, such as http://127.0.0.1:4318.")
	}
	if path != "" {
		u = u.JoinPath(path)
	}
	return u.String(), nil
}

// headersFor reads a list in the form of W3C Baggage: name=value, with percent encoding, divided by commas.
func headersFor(signal string, env func(string) string) (http.Header, error) {
	name, list := ofSignal(signal, "HEADERS", env)
	all := http.Header{}
	for pair := range strings.SplitSeq(list, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		field, value, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || err != nil {
			return nil, anchor.Invalid("bad_otlp", "the variable %s is not a list of headers", name).Hintf("Set NAME=VALUE,NAME=VALUE, with the values in percent encoding.")
		}
		all.Set(strings.TrimSpace(field), value)
	}
	return all, nil
}
