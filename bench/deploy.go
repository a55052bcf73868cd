package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/worker"
)

// measureDeploy deploys the whole artifact into a fresh data folder, alternating with a worker
// that just starts.
func measureDeploy(ctx context.Context, l *lab) ([]result, error) {
	app, err := l.copyApp()
	if err != nil {
		return nil, err
	}
	compiled, err := l.compileApp(ctx, app)
	if err != nil {
		return nil, err
	}
	var deploys, starts, answers, ratios, warmStarts, warmAnswers []float64
	steps := map[string][]float64{}
	var sent deployed
	for n := range l.rounds {
		start, answer, err := l.coldStart(ctx, app, "")
		if err != nil {
			return nil, err
		}
		warmStart, warmAnswer, err := l.coldStart(ctx, app, compiled)
		if err != nil {
			return nil, err
		}
		warmStarts, warmAnswers = append(warmStarts, inMS(warmStart)), append(warmAnswers, inMS(warmAnswer))
		took, d, err := l.firstDeploy(ctx, app)
		if err != nil {
			return nil, err
		}
		sent = d
		starts, answers = append(starts, inMS(start)), append(answers, inMS(answer))
		deploys, ratios = append(deploys, inMS(took)), append(ratios, took.Seconds()/start.Seconds())
		for step, ms := range d.Timings {
			steps[step] = append(steps[step], float64(ms))
		}
		l.say("  round %d: deploy %s, cold start %s", n+1, ms(inMS(took)), ms(inMS(start)))
	}
	ratio := median(ratios)
	return []result{{
		what: "deploy of a prebuilt " + size(sent.BytesSent) + " artifact, command to live",
		ours: ms(median(deploys)), peer: "the worker's own cold start: " + ms(median(starts)),
		ratio: times(ratio), budget: "≤ 0.8 s and ≤ 3 × (stretch 2 ×)", verdict: judge(median(deploys) <= 800 && ratio <= 3),
		how: []string{
			fmt.Sprintf("`anchor deploy --prebuilt --json` from start of the command to its end, which is after the switch; every byte is new to the fresh data folder (%d files sent). "+
				"%d rounds in turns with the cold start: Anchor's own worker starts the same server bundle straight from the build, from the start of the process until it is imported and listens. "+
				"Medians, ratio by round. Until a first page is answered the worker alone takes %s, and the deploy is %s of that.",
				sent.FilesSent, l.rounds, ms(median(answers)), times(median(deploys)/median(answers))),
			"Where the time goes, as the command reports it (medians): " + inSteps(steps) + ".",
		},
	}, {
		what: "cold start of a worker from compiled code, until the first page",
		ours: ms(median(warmAnswers)), peer: "without compiled code: " + ms(median(answers)),
		ratio: times(median(answers) / median(warmAnswers)), budget: "≤ 420 ms (stretch 300 ms)", verdict: judge(median(warmAnswers) <= 420),
		how: []string{fmt.Sprintf("A worker behind walls of level %d, as those of a server here, starts the server bundle and answers /dynamic, %d rounds in turns with and without the compiled code "+
			"that a process stored before. It listens after %s, without compiled code after %s. Medians.",
			l.isolation.Walls.Level, l.rounds, ms(median(warmStarts)), ms(median(starts)))},
	}}, nil
}

func (l *lab) firstDeploy(ctx context.Context, app string) (time.Duration, deployed, error) {
	s, err := l.up(ctx, "")
	if err != nil {
		return 0, deployed{}, err
	}
	defer s.stop()
	began := time.Now()
	d, err := s.deploy(ctx, app, "shop", s.api)
	took := time.Since(began)
	if err == nil && d.FilesSkipped != 0 {
		err = fmt.Errorf("%d files were there already", d.FilesSkipped)
	}
	return took, d, err
}

// serverPool returns a pool of the app's server function that appends what it logs to logged.
func (l *lab) serverPool(app, compiled string, logged *strings.Builder) (*worker.Pool, error) {
	tmp, err := l.folder("w")
	if err != nil {
		return nil, err
	}
	return worker.NewPool(l.node, worker.Spec{
		Dir: filepath.Join(app, ".open-next", "server-functions", "default"), Handler: "index.handler", Tmp: tmp, Max: 1,
		Tree: filepath.Join(app, ".open-next"), Walls: l.isolation.Walls, User: l.isolation.Users.OfBuild("bench"),
		Env:      map[string]string{"NODE_ENV": "production"},
		Compiled: compiled,
		Log:      func(line worker.Line) { logged.WriteString(line.Text + "\n") },
	})
}

// compileApp returns a folder with the compiled code of the app's server function.
func (l *lab) compileApp(ctx context.Context, app string) (string, error) {
	compiled, err := l.folder("c")
	if err != nil {
		return "", err
	}
	pool, err := l.serverPool(app, compiled, &strings.Builder{})
	if err != nil {
		return "", err
	}
	defer pool.Close()
	return compiled, pool.Compile(ctx, httptest.NewRequestWithContext(ctx, http.MethodGet, "http://"+shopHost+"/", http.NoBody))
}

// coldStart returns the time until the server's bundle is imported, and until it has answered its
// first page. compiled is a folder with compiled code, or "".
func (l *lab) coldStart(ctx context.Context, app, compiled string) (ready, answered time.Duration, err error) {
	var logged strings.Builder
	pool, err := l.serverPool(app, compiled, &logged)
	if err != nil {
		return 0, 0, err
	}
	defer pool.Close()
	began := time.Now()
	if err := pool.Warm(ctx); err != nil {
		return 0, 0, err
	}
	ready = time.Since(began)
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://"+shopHost+"/dynamic", http.NoBody)
	pool.ServeHTTP(w, r)
	answered = time.Since(began)
	if w.Code != http.StatusOK {
		pool.Close() // ends the log
		return 0, 0, fmt.Errorf("the worker answers %d: %s", w.Code, logged.String())
	}
	return ready, answered, nil
}

// inSteps lists medians by size, largest first.
func inSteps(steps map[string][]float64) string {
	names := slices.SortedFunc(maps.Keys(steps), func(a, b string) int {
		return int(median(steps[b]) - median(steps[a]))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %.0f ms", name, median(steps[name]))
	}
	return strings.Join(names, ", ")
}
