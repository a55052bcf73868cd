package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/anchor-deploy/anchor/internal/atomicfile"
)

const (
	// maxCompiled bounds the compiled code of a bundle in bytes. That of an app of 8 MB of modules is 2.5 MB.
	maxCompiled = 64 << 20
	// compileWithin is how long a process may take to compile, from its start.
	compileWithin = 2 * time.Minute
)

var errCompiledBroken = errors.New("the process ended before it had written the compiled code")

// compiledPath returns the file with the compiled code of the bundle, or "" where Spec.Compiled names no
// folder. V8 takes no code of another version.
func (p *Pool) compiledPath() string {
	if p.spec.Compiled == "" {
		return ""
	}
	return filepath.Join(p.spec.Compiled, "v"+p.node.Version)
}

// usedCompiled returns compiledPath when the file exists.
func (p *Pool) usedCompiled() string {
	path := p.compiledPath()
	if path == "" {
		return ""
	}
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// Compile stores the compiled code of the bundle, by which its next processes start sooner, unless it
// is stored or the project's limits leave no room for another process. A process of its own, which serves nobody else and whose output is dropped, answers r
// and reports what it has compiled for that. So no visitor's request has an influence on code that
// later processes run.
func (p *Pool) Compile(ctx context.Context, r *http.Request) error {
	path := p.compiledPath()
	if path == "" || p.usedCompiled() != "" || !p.hasRoom() {
		return nil
	}
	p.mu.Lock()
	if p.closed || p.draining {
		p.mu.Unlock()
		return ErrClosed
	}
	p.launched++
	n := p.launched
	p.tasks.Add(1)
	p.mu.Unlock()
	defer p.tasks.Done()
	ctx, cancel := context.WithTimeout(ctx, compileWithin)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()
	code, err := p.compileOnce(ctx, n, r)
	if err != nil {
		return fmt.Errorf("worker: compile function %s: %w", p.spec.Name, err)
	}
	if err := os.MkdirAll(p.spec.Compiled, 0o700); err != nil {
		return fmt.Errorf("worker: store the compiled code of function %s: %w", p.spec.Name, err)
	}
	return atomicfile.WriteFile(path, code, 0o444) // of any user: only processes that the folder is shown to reach it
}

// What a process more has to find below the limits of its project, or the kernel may end one that serves.
const (
	roomMemory    = 512 << 20 // bytes
	roomProcesses = 64        // processes and threads
)

// hasRoom reports whether the limits of the project allow a process that serves nobody.
func (p *Pool) hasRoom() bool {
	if p.spec.Group == nil {
		return true
	}
	limits, usage := p.spec.Group.Limits(), p.spec.Group.Usage()
	return (limits.Memory <= 0 || usage.Memory+roomMemory <= limits.Memory) &&
		(limits.Processes <= 0 || usage.Processes+roomProcesses <= limits.Processes)
}

// compileOnce starts the process and returns what it reports.
func (p *Pool) compileOnce(ctx context.Context, n int64, r *http.Request) ([]byte, error) {
	from, to, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer from.Close()
	pr, err := p.startProcess(n, to)
	to.Close()
	if err != nil {
		return nil, err
	}
	defer p.endCompiler(pr)
	defer context.AfterFunc(ctx, func() { _ = from.SetReadDeadline(past) })()
	select {
	case <-pr.ready:
	case <-pr.exited:
		return nil, errCompiledBroken
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	_, body, err := pr.hop.exchangeMessages(ctx, outgoingHead(r), nil)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, body)
	body.Close()
	if err != nil {
		return nil, err
	}
	return readCompiled(ctx, from)
}

// endCompiler ends the process, and counts what it has used.
func (p *Pool) endCompiler(pr *process) {
	pr.killProcess()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.addEnded(pr)
}

// readCompiled reads what bootstrap/compiled.mjs writes: a SHA-256, and the data that has it.
func readCompiled(ctx context.Context, from io.Reader) ([]byte, error) {
	code, err := io.ReadAll(io.LimitReader(from, maxCompiled+1))
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, err
	case len(code) > maxCompiled:
		return nil, fmt.Errorf("it has more than %d bytes", maxCompiled)
	case len(code) < sha256.Size:
		return nil, errCompiledBroken
	}
	sum := sha256.Sum256(code[sha256.Size:])
	if !bytes.Equal(sum[:], code[:sha256.Size]) {
		return nil, errCompiledBroken
	}
	return code, nil
}
