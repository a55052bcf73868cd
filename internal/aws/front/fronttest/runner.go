package fronttest

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

//go:embed runner.mjs
var program []byte

// module is what "import cf from 'cloudfront'" imports.
const module = `export default {
  kvs: () => globalThis.__cloudfront.kvs(),
  selectRequestOriginById: (id) => globalThis.__cloudfront.selectRequestOriginById(id),
  updateRequestOrigin: (changes) => globalThis.__cloudfront.updateRequestOrigin(changes),
};
`

// MaxSource is the largest size of a CloudFront function, in bytes (Developer Guide, "Quotas on
// CloudFront Functions").
const MaxSource = 10 * 1024

// runner is a Node.js process that runs one source of a viewer-request function.
type runner struct {
	store string // ARN of the function's KeyValueStore, or ""
	cmd   *exec.Cmd
	stdin io.WriteCloser

	mu      sync.Mutex
	last    int
	waiting map[int]chan outcome
	ended   error
}

// outcome is a function's result for a request.
type outcome struct {
	ID     int             `json:"id"`
	Error  string          `json:"error"`
	Result json.RawMessage `json:"result"`
	Origin *originChange   `json:"origin"`
}

// originChange is what the function changed through the module "cloudfront".
type originChange struct {
	ID            string            `json:"id"`
	DomainName    string            `json:"domainName"`
	OriginPath    *string           `json:"originPath"`
	CustomHeaders map[string]string `json:"customHeaders"`
}

// LayOut writes source into dir as function.mjs, an ES module that exports its handler and
// imports globalThis.__cloudfront under the name "cloudfront".
func LayOut(dir string, source []byte) error {
	for name, text := range map[string]string{
		"function.mjs":                         string(source) + "\nexport { handler };\n",
		"node_modules/cloudfront/package.json": `{"name":"cloudfront","type":"module","main":"index.js"}`,
		"node_modules/cloudfront/index.js":     module,
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func startRunner(dir string, source []byte) (*runner, error) {
	if len(source) > MaxSource {
		return nil, fmt.Errorf("the function has %d octets, CloudFront takes %d", len(source), MaxSource)
	}
	sum := sha256.Sum256(source)
	dir = filepath.Join(dir, hex.EncodeToString(sum[:8]))
	if err := LayOut(dir, source); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "runner.mjs"), program, 0o600); err != nil {
		return nil, err
	}
	r := &runner{cmd: exec.Command("node", "runner.mjs", filepath.Join(dir, "function.mjs")), waiting: map[int]chan outcome{}}
	r.cmd.Dir = dir
	r.cmd.Stderr = os.Stderr
	var err error
	if r.stdin, err = r.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	go r.listen(stdout)
	return r, nil
}

func (r *runner) listen(stdout io.Reader) {
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			r.end(err)
			return
		}
		var o outcome
		if err := json.Unmarshal(line, &o); err != nil {
			r.end(fmt.Errorf("the function's process wrote %q: %w", line, err))
			return
		}
		r.mu.Lock()
		waiting := r.waiting[o.ID]
		delete(r.waiting, o.ID)
		r.mu.Unlock()
		if waiting != nil {
			waiting <- o
		}
	}
}

func (r *runner) end(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = err
	for id, waiting := range r.waiting {
		waiting <- outcome{Error: "the function's process ended: " + err.Error()}
		delete(r.waiting, id)
	}
}

// run returns the function's result for event, with the store's keys and values.
func (r *runner) run(event any, store map[string]string) (outcome, error) {
	waiting := make(chan outcome, 1)
	r.mu.Lock()
	if r.ended != nil {
		r.mu.Unlock()
		return outcome{}, r.ended
	}
	r.last++
	id := r.last
	r.waiting[id] = waiting
	line, err := json.Marshal(map[string]any{"id": id, "event": event, "store": store})
	if err == nil {
		_, err = r.stdin.Write(append(line, '\n'))
	}
	r.mu.Unlock()
	if err != nil {
		return outcome{}, err
	}
	o := <-waiting
	if o.Error != "" {
		return o, errors.New(o.Error)
	}
	return o, nil
}

func (r *runner) stop() {
	_ = r.stdin.Close()
	_ = r.cmd.Wait()
}
