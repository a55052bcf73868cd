//go:build slow

package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// inPlay are the versions that may answer at this moment.
type inPlay struct {
	mu       sync.Mutex
	from, to string
}

func (p *inPlay) move(to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.from, p.to = p.to, to
}

func (p *inPlay) both() [2]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return [2]string{p.from, p.to}
}

// TestNoLostRequestsOnAWS invokes function:live in a tight loop during five deployments and thirty
// rollbacks. Every answer is complete and from one of the two versions in play; after each switch
// the AWS CLI shows the expected one.
func TestNoLostRequestsOnAWS(t *testing.T) {
	t.Parallel()
	const deployments, rollbacks = 5, 30
	a := onAWS(t)
	play := &inPlay{}
	play.move(LabelOf(1))
	ids := []string{a.deploy(variant(t, 1), "shop").DeploymentID}
	a.wantLive(t, "shop", ids[0])
	live := a.invoker(t, "anchor-shop-server")

	l := a.invoke(t, live, play)
	for n := 2; n <= deployments; n++ {
		app := variant(t, n)
		play.move(LabelOf(n))
		ids = append(ids, a.deploy(app, "shop").DeploymentID)
		a.wantLive(t, "shop", ids[n-1])
		l.settled(t, LabelOf(n))
	}
	var slowest int64
	for n := range rollbacks {
		target := (n*7 + 3) % deployments // each of them, in no order
		play.move(LabelOf(target + 1))
		var back struct{ RollbackTimeMs int64 }
		if code, err := a.call("POST", "/projects/shop/rollback", map[string]string{"targetDeploymentId": ids[target]}, &back); code != 200 || err != nil {
			t.Fatalf("rollback %d: %d %v", n, code, err)
		}
		slowest = max(slowest, back.RollbackTimeMs)
		a.wantLive(t, "shop", ids[target])
		l.settled(t, LabelOf(target+1))
	}
	l.end(t)
	t.Logf("the slowest of %d rollbacks took %d ms", rollbacks, slowest)
}

// invocations are a tight loop on one alias.
type invocations struct {
	live   invoker
	play   *inPlay
	stop   chan struct{}
	wg     sync.WaitGroup
	mu     sync.Mutex
	seen   map[string]int
	faults []string
}

func (a *account) invoke(t *testing.T, live invoker, play *inPlay) *invocations {
	l := &invocations{live: live, play: play, stop: make(chan struct{}), seen: map[string]int{}}
	l.wg.Go(func() {
		for {
			select {
			case <-l.stop:
				return
			default:
				l.once(t)
			}
		}
	})
	return l
}

// once requests the page and accepts the versions in play before and after: a switch may happen
// while it is rendered.
func (l *invocations) once(t *testing.T) {
	before := l.play.both()
	p, err := l.live.get(t, "/dynamic")
	after := l.play.both()
	version := ""
	if err == nil {
		version, err = wholePage(p)
	}
	if err == nil && version != before[0] && version != before[1] && version != after[0] && version != after[1] {
		err = fmt.Errorf("version %s answers while %v, then %v are in play", version, before, after)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.faults = append(l.faults, err.Error())
		return
	}
	l.seen[version]++
}

// wholePage returns the only version in an HTML answer.
func wholePage(p page) (string, error) {
	m := versionMeta.FindStringSubmatch(p.Body)
	switch {
	case p.Status != 200:
		return "", fmt.Errorf("status %d: %.200s", p.Status, p.Body)
	case m == nil:
		return "", fmt.Errorf("no version in %.200s", p.Body)
	case !strings.HasSuffix(strings.TrimSpace(p.Body), "</html>"):
		return "", fmt.Errorf("the page is cut off after %d bytes", len(p.Body))
	}
	for _, label := range anyLabel.FindAllString(p.Body, -1) {
		if label != m[1] {
			return "", fmt.Errorf("the page mixes %s and %s", m[1], label)
		}
	}
	return m[1], nil
}

// settled ends a switch: all later requests must be answered by the version.
func (l *invocations) settled(t *testing.T, version string) {
	t.Helper()
	l.play.move(version)
	p, err := l.live.get(t, "/dynamic")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := wholePage(p); err != nil || got != version {
		t.Errorf("function:live answers as %q (%v), want %s", got, err, version)
	}
}

func (l *invocations) end(t *testing.T) {
	t.Helper()
	close(l.stop)
	l.wg.Wait()
	total := 0
	for _, n := range l.seen {
		total += n
	}
	t.Logf("%d invocations, of %d versions, %d faults", total, len(l.seen), len(l.faults))
	for _, fault := range l.faults[:min(20, len(l.faults))] {
		t.Error(fault)
	}
	if total == 0 {
		t.Error("nothing was invoked")
	}
}
