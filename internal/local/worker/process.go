package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
)

// killAfter is how long a process may take to end after SIGTERM once nobody waits for it.
const killAfter = 2 * time.Second

// process is one Node.js process that runs the bundle.
type process struct {
	cmd      *exec.Cmd
	walls    jail.Walls
	hop      *hop
	socket   string
	stdin    *os.File // the process ends itself when this closes, hence with us
	logs     tail
	ready    chan struct{} // closed when the bundle is imported and the server listens
	gone     chan struct{} // closed when it has ended
	exited   chan struct{} // closed when all its output is read, too
	started  time.Time
	beats    chan struct{}          // holds a value when there was a sign of life since the last look
	busy     chan struct{}          // holds a value when the process gets a request while it is watched calmly
	farewell chan string            // holds the reason, once the process has announced its end
	vitals   atomic.Pointer[vitals] // the last report; nil for none

	// Guarded by Pool.mu.
	inFlight   int
	taken      int64 // requests since its start
	loop       loop
	congestion congestion
	idleSince  time.Time
	stopping   bool
	aside      bool      // takes suspects only, see Pool.acquire
	watched    bool      // several times a second, as requests are in flight
	doubted    bool      // has broken a connection and sent no sign of life since
	late       bool      // has sent no sign of life for lateAfter
	leaving    bool      // has announced its end
	yielding   bool      // ends after its requests, see Budget
	lastCall   time.Time // until when a leaving process takes requests that no other one takes
}

// pipes are the ends of the pipes that belong to the process, and those that stay here.
type pipes struct {
	stdin, stdout, stderr, control *os.File // the process's ends
	listener                       *os.File
	compiled                       *os.File // where a process that only compiles writes what it has compiled; else nil
	stdinW, outR, errR, controlR   *os.File
}

// startProcess starts a process. One with a file compiled is there to compile the bundle only.
func (p *Pool) startProcess(n int64, compiled *os.File) (*process, error) {
	file, export, err := p.spec.modulePath()
	if err != nil {
		return nil, err
	}
	settings := map[string]any{
		"module": file, "handler": export, "name": p.spec.Name,
		"pulse": p.calmTick().Milliseconds(), "busyPulse": beatEvery.Milliseconds(), "mark": p.mark,
		"ownTmp": p.spec.Walls.Level >= jail.Namespaced,
	}
	log := p.spec.Log
	if compiled != nil {
		settings["compiles"], log = p.spec.Tree, func(Line) {}
	} else if path := p.usedCompiled(); path != "" {
		settings["compiled"] = path
	}
	args, err := json.Marshal(settings)
	if err != nil {
		return nil, err
	}
	pr := &process{
		socket: p.home.socketPath(n), started: time.Now(), walls: p.wallsOf(),
		ready: make(chan struct{}), gone: make(chan struct{}), exited: make(chan struct{}),
		beats: make(chan struct{}, 1), busy: make(chan struct{}, 1), farewell: make(chan string, 1),
	}
	files, err := openPipes(pr.socket)
	if err != nil {
		files.closeAll()
		return nil, err
	}
	files.compiled = compiled
	if pr.cmd, err = p.startConfined(string(args), files); err != nil {
		files.closeAll()
		return nil, fmt.Errorf("run %s: %w", p.node.Path, err)
	}
	files.closeTheirs()
	pr.stdin = files.stdinW
	pr.hop = newHop(pr.socket)
	go pr.watchOutput(files, func(r pace) { p.noteLoad(pr, r) }, pr.logTo(log))
	return pr, nil
}

func (p *Pool) nodeFlags() []string {
	heap := p.heapMB()
	if heap <= 0 {
		return nil
	}
	return []string{fmt.Sprintf("--max-old-space-size=%d", heap)}
}

// logTo returns a function that forwards lines of the process to log and keeps the last of them.
func (pr *process) logTo(log func(Line)) func(Line) {
	return func(line Line) {
		pr.logs.add(line.Text)
		log(line)
	}
}

// watchOutput reads the output of the process until it has ended.
func (pr *process) watchOutput(files *pipes, loaded func(pace), log func(Line)) {
	pid := pr.cmd.Process.Pid
	var readers sync.WaitGroup
	readers.Go(func() { readRaw(&drainingReader{file: files.outR}, "info", log) })
	readers.Go(func() { readRaw(&drainingReader{file: files.errR}, "error", log) })
	readers.Go(func() {
		readControl(&drainingReader{file: files.controlR}, pr.beatFunc(), pr.announceEnd, pr.setVitals, loaded, log)
	})
	_ = pr.cmd.Wait() // the exit code is in ProcessState
	close(pr.gone)
	killGroup(pid)      // processes that the app has spawned must not outlive it, nor hold the pipes open
	files.expireReads() // nor must those that left the group
	readers.Wait()
	files.closeOurs()
	_ = os.Remove(pr.socket)
	pr.hop.close()
	close(pr.exited)
}

// beatFunc returns the function to call at each sign of life. The first one reports that the process is
// ready.
func (pr *process) beatFunc() func() {
	ready := sync.OnceFunc(func() { close(pr.ready) })
	return func() {
		ready()
		notifyOnce(pr.beats, struct{}{})
	}
}

func (pr *process) announceEnd(why string) {
	notifyOnce(pr.farewell, why)
}

// notifyOnce sends v on ch, which has room for one value, unless the last one has not been received
// yet.
func notifyOnce[T any](ch chan<- T, v T) {
	select {
	case ch <- v:
	default:
	}
}

func (pr *process) isGone() bool {
	select {
	case <-pr.gone:
		return true
	default:
		return false
	}
}

// outcomeOf returns how the process ended. Call it when gone is closed.
func (pr *process) outcomeOf() jail.Outcome { return pr.walls.Outcome(pr.cmd.ProcessState) }

// stop makes the process finish its background work and end. The message comes through its stdin,
// where it cannot be mistaken for a signal that somebody else sends; SIGTERM is for the listeners
// of the app. When ctx ends first, stop kills the process after a short grace and returns false.
// The process is gone when stop returns.
func (pr *process) stop(ctx context.Context) bool {
	_, _ = io.WriteString(pr.stdin, "stop\n") // if it fails the process is gone
	terminateGroup(pr.cmd.Process.Pid)
	select {
	case <-pr.exited:
		return true
	case <-ctx.Done():
	}
	select {
	case <-pr.exited:
		return true
	case <-time.After(killAfter):
		pr.killProcess()
		return false
	}
}

func (pr *process) killProcess() {
	if !pr.isGone() {
		pr.killAll()
	}
	<-pr.exited
}

// openPipes opens all files that a process needs. On error some are open: see closeAll.
func openPipes(socket string) (f *pipes, err error) {
	f = &pipes{}
	pairs := []struct{ r, w **os.File }{
		{&f.stdin, &f.stdinW}, {&f.outR, &f.stdout}, {&f.errR, &f.stderr}, {&f.controlR, &f.control},
	}
	for _, pair := range pairs {
		if *pair.r, *pair.w, err = os.Pipe(); err != nil {
			return f, fmt.Errorf("open a pipe: %w", err)
		}
	}
	// The process inherits the listening socket: it needs no access to the folder, and nothing can
	// connect too early.
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return f, fmt.Errorf("listen on a socket: %w", err)
	}
	listener.SetUnlinkOnClose(false)
	defer listener.Close()
	f.listener, err = listener.File()
	return f, err
}

func (f *pipes) theirEnds() []*os.File {
	return []*os.File{f.stdin, f.stdout, f.stderr, f.control, f.listener}
}

func (f *pipes) ourEnds() []*os.File { return []*os.File{f.stdinW, f.outR, f.errR, f.controlR} }

func (f *pipes) closeTheirs() { closeFiles(f.theirEnds()) }
func (f *pipes) closeOurs()   { closeFiles(f.ourEnds()) }
func (f *pipes) closeAll()    { f.closeTheirs(); f.closeOurs() }

func closeFiles(files []*os.File) {
	for _, file := range files {
		if file != nil {
			_ = file.Close() // pipes and sockets: nothing is lost
		}
	}
}

// expireReads ends reads that no writer will complete; what was written before is still read, see
// drainingReader.
func (f *pipes) expireReads() {
	for _, file := range []*os.File{f.outR, f.errR, f.controlR} {
		_ = file.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	}
}
