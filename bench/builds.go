package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

const (
	builtProject = "built"
	livePage     = "/dynamic"
	liveRate     = 50 // requests per second for a page of the live site while another project is built
	calmTime     = 15 * time.Second
	burst        = 3 * time.Second
	warmBuilds   = 2 // of each kind, after a cold one: a build takes about a minute
)

// measureBuilds builds the storefront as a push does and as `npm ci && npm run build` does, in turns, and
// asks for a page of a live site meanwhile.
func measureBuilds(ctx context.Context, l *lab) ([]result, error) {
	s, err := l.shop(ctx, "")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	plain, err := l.plainBuild(ctx)
	if err != nil {
		return nil, err
	}
	pushes, err := s.pushedBuild(ctx)
	if err != nil {
		return nil, err
	}
	page := paced{url: s.site() + livePage, perSecond: liveRate, limit: 30 * time.Second}
	var cold, plainCold share
	var warm, plainWarm []share
	var calm, busy []float64
	var last pushed
	for n := range warmBuilds + 1 {
		took, err := plain.run(ctx)
		if err != nil {
			return nil, err
		}
		// Not beside the plain build, which has no lower priority.
		page.length = calmTime
		quiet := page.run(ctx)
		var during outcome
		if last, during, err = pushes.run(ctx, page, n); err != nil {
			return nil, err
		}
		if failed := quiet.failures() + quiet.shed + during.failures() + during.shed; failed > 0 {
			return nil, fmt.Errorf("of the requests for %s %d failed: %v, during a build %v", livePage, failed, quiet.failed, during.failed)
		}
		l.say("  round %d: plain %s; Anchor %s; p99 %s, during the build %s", n, took, last.share, ms(quiet.tail()), ms(during.tail()))
		calm, busy = append(calm, quiet.tail()), append(busy, during.tail())
		if n == 0 {
			cold, plainCold = last.share, took
			continue
		}
		warm, plainWarm = append(warm, last.share), append(plainWarm, took)
	}
	return buildResults(buildFigures{cold, plainCold, medianShare(warm), medianShare(plainWarm), median(calm), median(busy), last}), nil
}

// share is how long the parts of a build took, in seconds. A plain build has nothing of OpenNext.
type share struct{ install, next, openNext float64 }

// like is what a plain build does, too.
func (s share) like() float64 { return s.install + s.next }

func (s share) all() float64 { return s.like() + s.openNext }

func (s share) String() string {
	return fmt.Sprintf("install %.1f s, Next.js %.1f s, OpenNext %.1f s", s.install, s.next, s.openNext)
}

// medianShare returns the medians of each part.
func medianShare(all []share) share {
	part := func(of func(share) float64) float64 {
		var values []float64
		for _, s := range all {
			values = append(values, of(s))
		}
		return median(values)
	}
	return share{
		part(func(s share) float64 { return s.install }), part(func(s share) float64 { return s.next }), part(func(s share) float64 { return s.openNext }),
	}
}

// buildFigures are, of the page, milliseconds.
type buildFigures struct {
	cold, plainCold, warm, plainWarm share
	calm, busy                       float64
	last                             pushed
}

func buildResults(f buildFigures) []result {
	how := "A push of examples/storefront with one changed word; the steps install and build of the server, within its walls and at its lower priority, " +
		"beside `npm ci && npm run build` of the same files. The push also makes the OpenNext build of what Next.js built, which the plain build does not: "
	seconds := func(s float64) string { return fmt.Sprintf("%.1f s", s) }
	plain := func(s share) string { return "npm ci && next build: " + seconds(s.like()) }
	return []result{{
		what: "build of a push, nothing cached", ours: seconds(f.cold.all()), peer: plain(f.plainCold),
		ratio: times(f.cold.all() / f.plainCold.all()), budget: "reported", verdict: met,
		how: []string{how + fmt.Sprintf("%s, beside %s. Both begin without node_modules, npm's cache and `.next/cache`; once.", f.cold, f.plainCold)},
	}, {
		what: "build of a push, lockfile unchanged", ours: seconds(f.warm.all()), peer: plain(f.plainWarm),
		ratio: times(f.warm.all() / f.plainWarm.all()), budget: "reported", verdict: met,
		how: []string{how + fmt.Sprintf("%s, beside %s. Both have npm's cache and `.next/cache` of the build before; the server also has kept its node_modules. "+
			"%d rounds in turns after the cold ones, medians. Of the last push: %s; from the command to live %s.",
			f.warm, f.plainWarm, warmBuilds, strings.Join(f.last.steps, ", "), seconds(f.last.whole.Seconds()))},
	}, {
		what: "of it, install and Next.js", ours: seconds(f.warm.like()), peer: plain(f.plainWarm),
		ratio: times(f.warm.like() / f.plainWarm.like()), budget: "≤ 1.05 ×", verdict: judge(f.warm.like() <= 1.05*f.plainWarm.like()),
		how: []string{"The same builds without OpenNext's part, which begins in the log where OpenNext generates its bundle: what both builds do."},
	}, {
		what: "install of an unchanged lockfile", ours: seconds(f.warm.install), peer: "npm ci: " + seconds(f.plainWarm.install),
		ratio: times(f.warm.install / f.plainWarm.install), budget: "≤ 5 s", verdict: judge(f.warm.install <= 5),
		how: []string{"The step install of the same builds: nothing is left of it, because the node_modules of the build before are moved into place."},
	}, {
		what: "p99 of a page of a live site during a build", ours: ms(f.busy), peer: "without the build: " + ms(f.calm),
		ratio: times(f.busy / f.calm), budget: "≤ 1.5 ×", verdict: judge(f.busy <= 1.5*f.calm),
		how: []string{fmt.Sprintf("%s, which is rendered for each request, at a fixed rate of %d per second for %s, and as long as a build of another project runs (the pushes above). "+
			"Each request is timed from when it was due. The load generator, the server, the site's processes and the build share both cores. Medians of %d builds.",
			livePage, liveRate, calmTime, warmBuilds+1)},
	}}
}

// sourceOfShop copies the files of the storefront that its repository has.
func (l *lab) sourceOfShop(ctx context.Context) (string, error) {
	dir, err := l.folder("source")
	if err != nil {
		return "", err
	}
	list, err := exec.CommandContext(ctx, "git", "-C", l.storefront, "ls-files", "-z").Output()
	if err != nil {
		return "", fmt.Errorf("list the files of %s: %w", l.storefront, err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(l.storefront, name))
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), content, 0o644)
		}
		if err != nil {
			return "", err
		}
	}
	return dir, nil
}

// plainBuild is `npm ci && npm run build` in a folder, with a cache of npm's of its own.
type plainBuild struct {
	dir string
	env []string
}

func (l *lab) plainBuild(ctx context.Context) (*plainBuild, error) {
	dir, err := l.sourceOfShop(ctx)
	if err != nil {
		return nil, err
	}
	cache, err := l.folder("npm")
	return &plainBuild{dir, append(os.Environ(), "CI=1", "NO_COLOR=1", "npm_config_cache="+cache, "npm_config_update_notifier=false")}, err
}

// run builds once more, without the node_modules of the build before.
func (b *plainBuild) run(ctx context.Context) (share, error) {
	if err := os.RemoveAll(filepath.Join(b.dir, "node_modules")); err != nil {
		return share{}, err
	}
	install, err := b.npm(ctx, "ci", "--no-audit", "--no-fund")
	if err != nil {
		return share{}, err
	}
	next, err := b.npm(ctx, "run", "build")
	return share{install: install, next: next}, err
}

// npm returns how long a command takes, in seconds.
func (b *plainBuild) npm(ctx context.Context, args ...string) (float64, error) {
	cmd := exec.CommandContext(ctx, "npm", args...)
	cmd.Dir, cmd.Env = b.dir, b.env
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("npm %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return time.Since(began).Seconds(), nil
}

// pushedBuild is a repository that is pushed to a project of its own.
type pushedBuild struct {
	server *server
	dir    string
}

// pushed is how long a push took: the parts of its build, all of it, and its steps in words.
type pushed struct {
	share
	whole time.Duration
	steps []string
}

func (s *server) pushedBuild(ctx context.Context) (*pushedBuild, error) {
	dir, err := s.lab.sourceOfShop(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := s.client().CreateProject(ctx, builtProject, "main"); err != nil {
		return nil, err
	}
	b := &pushedBuild{s, dir}
	remote := strings.Replace(s.api, "http://", "http://git:"+s.token+"@", 1) + "/git/" + builtProject + ".git"
	for _, args := range [][]string{{"init", "--quiet", "--initial-branch=main"}, {"remote", "add", "anchor", remote}} {
		if err := b.git(ctx, args...); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *pushedBuild) git(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "user.name=bench", "-c", "user.email=bench@localhost"}, args...)...)
	cmd.Dir = b.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w\n%s", args[0], err, out)
	}
	return nil
}

// run pushes a commit with one changed word, and asks for the page until it is live.
func (b *pushedBuild) run(ctx context.Context, page paced, n int) (pushed, outcome, error) {
	if err := b.changeWord(ctx, n); err != nil {
		return pushed{}, outcome{}, err
	}
	ended := make(chan error, 1)
	began := time.Now()
	go func() { ended <- b.git(ctx, "push", "--quiet", "anchor", "main") }()
	var all outcome
	for page.length = burst; ; {
		all = all.with(page.run(ctx))
		select {
		case err := <-ended:
			if err != nil {
				return pushed{}, all, err
			}
			took, err := b.steps(ctx)
			took.whole = time.Since(began)
			return took, all, err
		default:
		}
	}
}

func (b *pushedBuild) changeWord(ctx context.Context, n int) error {
	file := filepath.Join(b.dir, "app", "page.jsx")
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, after := "shrugs off weather", fmt.Sprintf("laughs %d times", n)
	if n > 0 {
		before = fmt.Sprintf("laughs %d times", n-1)
	}
	if !strings.Contains(string(content), before) {
		return fmt.Errorf("%s does not say %q", file, before)
	}
	err = os.WriteFile(file, []byte(strings.ReplaceAll(string(content), before, after)), 0o644)
	return errors.Join(err, b.git(ctx, "add", "--all"), b.git(ctx, "commit", "--quiet", "--message", "word"))
}

// steps reads how long the steps of the newest build took.
func (b *pushedBuild) steps(ctx context.Context) (p pushed, err error) {
	c := b.server.client()
	list, err := c.Builds(ctx, builtProject, anchor.Page{Limit: 1})
	if err != nil || len(list.Items) == 0 {
		return p, fmt.Errorf("find the build: %w", err)
	}
	events, err := c.PastEvents(ctx, builtProject, list.Items[0].ID)
	var ended int64 // Unix milliseconds, of the step build
	for _, e := range events {
		took := time.Duration(e.DurationMS) * time.Millisecond
		if e.Phase != anchor.StepEnd || took == 0 {
			continue
		}
		p.steps = append(p.steps, fmt.Sprintf("%s %.1f s", e.Step, took.Seconds()))
		switch e.Step {
		case "tools", "install":
			p.install += took.Seconds()
		case "build":
			p.next, ended = took.Seconds(), e.Time
		}
	}
	if err == nil && ended == 0 {
		err = errors.New("the build has no steps")
	}
	if err != nil {
		return p, err
	}
	lines, err := c.BuildLog(ctx, builtProject, list.Items[0].ID)
	for _, line := range lines {
		if strings.Contains(line.Text, bundling) {
			p.openNext = float64(ended-line.Time) / 1000
		}
	}
	if err == nil && p.openNext == 0 {
		err = fmt.Errorf("the log of the build does not say %q", bundling)
	}
	p.next -= p.openNext
	return p, err
}

// bundling is what OpenNext prints when Next.js has built the app.
const bundling = "OpenNext — Generating bundle"

// with returns both outcomes together.
func (o outcome) with(more outcome) outcome {
	sum := outcome{due: o.due + more.due, ok: append(o.ok, more.ok...), shed: o.shed + more.shed, failed: map[string]int{}}
	for _, one := range []map[string]int{o.failed, more.failed} {
		for why, n := range one {
			sum.failed[why] += n
		}
	}
	return sum
}
