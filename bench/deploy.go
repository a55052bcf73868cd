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
	var deploys, starts, answers, ratios []float64
	steps := map[string][]float64{}
	var sent deployed
	for n := range l.rounds {
		start, answer, err := l.coldStart(ctx, app)
		if err != nil {
			return nil, err
		}
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
		ratio: times(ratio), budget: "≤ 4 × (stretch 2 ×)", verdict: judge(ratio <= 4),
		how: []string{
			fmt.Sprintf("`anchor deploy --prebuilt --json` from start of the command to its end, which is after the switch; every byte is new to the fresh data folder (%d files sent). "+
				"%d rounds in turns with the cold start: Anchor's own worker starts the same server bundle straight from the build, from the start of the process until it is imported and listens. "+
				"Medians, ratio by round. Until a first page is answered the worker alone takes %s, and the deploy is %s of that.",
				sent.FilesSent, l.rounds, ms(median(answers)), times(median(deploys)/median(answers))),
			"Where the time goes, as the command reports it (medians): " + inSteps(steps) + ".",
		},
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

// coldStart returns the time until the server's bundle is imported, and until it has answered its
// first page.
func (l *lab) coldStart(ctx context.Context, app string) (ready, answered time.Duration, err error) {
	dir := filepath.Join(app, ".open-next", "server-functions", "default")
	tmp, err := l.folder("w")
	if err != nil {
		return 0, 0, err
	}
	var logged strings.Builder
	pool, err := worker.NewPool(l.node, worker.Spec{
		Dir: dir, Handler: "index.handler", Tmp: tmp, Max: 1,
		Env: map[string]string{"NODE_ENV": "production"},
		Log: func(line worker.Line) { logged.WriteString(line.Text + "\n") },
	})
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
