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
	calmTime     = 20 * time.Second
	burst        = 3 * time.Second
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
	var cold, plainCold float64
	var warm, plainWarm, calm, busy []float64
	var last pushed
	for n := range l.rounds + 1 {
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
		l.say("  round %d: plain %.1f s, Anchor %.1f s; p99 %s, during the build %s", n, took.Seconds(), last.built.Seconds(), ms(quiet.tail()), ms(during.tail()))
		if n == 0 {
			cold, plainCold = last.built.Seconds(), took.Seconds()
			continue
		}
		warm, plainWarm = append(warm, last.built.Seconds()), append(plainWarm, took.Seconds())
		calm, busy = append(calm, quiet.tail()), append(busy, during.tail())
	}
	return buildResults(buildFigures{cold, plainCold, median(warm), median(plainWarm), median(calm), median(busy), last, l.rounds}), nil
}

// buildFigures are seconds and, of the page, milliseconds.
type buildFigures struct {
	cold, plainCold, warm, plainWarm float64
	calm, busy                       float64
	last                             pushed
	rounds                           int
}

func buildResults(f buildFigures) []result {
	how := "A push of examples/storefront with one changed word; the steps install and build of the server, within its walls and at its lower priority, " +
		"beside `npm ci && npm run build` of the same files. The push also makes the OpenNext build of what Next.js built, which the plain build does not. "
	seconds := func(s float64) string { return fmt.Sprintf("%.1f s", s) }
	return []result{{
		what: "build of a push, nothing cached", ours: seconds(f.cold), peer: "npm ci && next build: " + seconds(f.plainCold),
		ratio: times(f.cold / f.plainCold), budget: "reported", verdict: met,
		how: []string{how + "Both begin without node_modules, npm's cache and `.next/cache`; once."},
	}, {
		what: "build of a push, lockfile unchanged", ours: seconds(f.warm), peer: "npm ci && next build: " + seconds(f.plainWarm),
		ratio: times(f.warm / f.plainWarm), budget: "≤ 1.05 ×", verdict: judge(f.warm <= 1.05*f.plainWarm),
		how: []string{how + fmt.Sprintf("Both have npm's cache and `.next/cache` of the build before, and no node_modules. %d rounds in turns, medians. "+
			"Of the last push: %s; from the command to live %s.", f.rounds, strings.Join(f.last.steps, ", "), seconds(f.last.whole.Seconds()))},
	}, {
		what: "p99 of a page of a live site during a build", ours: ms(f.busy), peer: "without the build: " + ms(f.calm),
		ratio: times(f.busy / f.calm), budget: "≤ 1.5 ×", verdict: judge(f.busy <= 1.5*f.calm),
		how: []string{fmt.Sprintf("%s, which is rendered for each request, at a fixed rate of %d per second for %s, and as long as a build of another project runs (the pushes above). "+
			"Each request is timed from when it was due. The load generator, the server, the site's processes and the build share both cores. Medians of %d rounds.",
			livePage, liveRate, calmTime, f.rounds)},
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
func (b *plainBuild) run(ctx context.Context) (time.Duration, error) {
	if err := os.RemoveAll(filepath.Join(b.dir, "node_modules")); err != nil {
		return 0, err
	}
	began := time.Now()
	for _, args := range [][]string{{"ci", "--no-audit", "--no-fund"}, {"run", "build"}} {
		cmd := exec.CommandContext(ctx, "npm", args...)
		cmd.Dir, cmd.Env = b.dir, b.env
		if out, err := cmd.CombinedOutput(); err != nil {
			return 0, fmt.Errorf("npm %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return time.Since(began), nil
}

// pushedBuild is a repository that is pushed to a project of its own.
type pushedBuild struct {
	server *server
	dir    string
}

// pushed is how long a push took: the steps of its build that a plain build has, too, all of them, and in
// words.
type pushed struct {
	built, whole time.Duration
	steps        []string
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
	for _, e := range events {
		took := time.Duration(e.DurationMS) * time.Millisecond
		if e.Phase != anchor.StepEnd || took == 0 {
			continue
		}
		p.steps = append(p.steps, fmt.Sprintf("%s %.1f s", e.Step, took.Seconds()))
		switch e.Step {
		case "tools", "install", "build":
			p.built += took
		}
	}
	if err == nil && p.built == 0 {
		err = errors.New("the build has no steps")
	}
	return p, err
}

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
