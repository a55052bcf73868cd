//go:build slow

package edge

import (
	"encoding/xml"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// knownH2Spec are the cases in which net/http and h2spec disagree.
var knownH2Spec = map[string]string{
	"Sends multiple values of SETTINGS_INITIAL_WINDOW_SIZE":                    "net/http closes a connection that sends a setting twice in one frame",
	"Sends a HEADERS frame that contains the connection-specific header field": "net/http answers 400 and does not reset the stream",
	"Sends a HEADERS frame that contains the TE header field with any value other than \"trailers\"": "net/http answers 400 and does not " +
		"reset the stream",
}

// failedH2Spec runs the cases of h2spec, or of sections of it, and returns those that fail with their
// section.
func failedH2Spec(t *testing.T, addr, path string, sections ...string) map[string]string {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	modfile, err := filepath.Abs("../../../tools/h2spec/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	report := filepath.Join(t.TempDir(), "report.xml")
	args := append([]string{"tool", "-modfile=" + modfile, "h2spec", "-h", host, "-p", port, "-P", path, "-t", "-k", "-o", "5", "-j", report}, sections...)
	out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput() // whose status is 1 when a case fails
	content, missing := os.ReadFile(report)
	if missing != nil {
		t.Fatalf("h2spec made no report: %v\n%s", err, out)
	}
	var suites struct {
		Cases []struct {
			Section string  `xml:"package,attr"`
			Name    string  `xml:"classname,attr"`
			Failure *string `xml:"failure"`
			Error   *string `xml:"error"`
		} `xml:"testsuite>testcase"`
	}
	if err := xml.Unmarshal(content, &suites); err != nil || len(suites.Cases) == 0 {
		t.Fatalf("the report has %d cases, %v\n%s", len(suites.Cases), err, out)
	}
	failed := map[string]string{}
	for _, c := range suites.Cases {
		if c.Failure != nil || c.Error != nil {
			failed[c.Name] = c.Section
		}
	}
	return failed
}

// TestH2Spec runs the conformance test of HTTP/2. In some of its cases the answer and the reset of a
// stream cross, and it only accepts one order: a case that fails is run again.
func TestH2Spec(t *testing.T) {
	s := startTLS(t, Config{}, "a.test")
	cert, _ := testCertificate(t, "a.test")
	s.server.TLSConfig.GetCertificate = nil // h2spec sends no name
	s.server.TLSConfig.Certificates = append(s.server.TLSConfig.Certificates, *cert)
	s.Publish(NewTable(map[string]*Site{"127.0.0.1": {
		Assets: assets(t, "", map[string]string{"file.txt": "a body of some octets"}),
		Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, "a body of some octets")
		}),
	}}))
	for _, path := range []string{"/function", "/file.txt"} {
		t.Run(path, func(t *testing.T) { wantH2Spec(t, s.tls, path) })
	}
}

func wantH2Spec(t *testing.T, addr, path string) {
	failed := failedH2Spec(t, addr, path)
	for name, section := range failed {
		if _, known := knownH2Spec[name]; known {
			continue
		}
		for range 3 {
			if _, again := failedH2Spec(t, addr, path, section)[name]; !again {
				delete(failed, name)
				break
			}
		}
	}
	for name, section := range failed {
		if knownH2Spec[name] == "" {
			t.Errorf("%s fails four times: %s", section, name)
		}
	}
}
