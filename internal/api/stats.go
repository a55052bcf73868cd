package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// Traffic knows the traffic of projects.
type Traffic interface {
	// Stats describes the traffic of the last d, at most 30 days.
	Stats(ctx context.Context, p anchor.Project, d time.Duration) (wire.Stats, error)
	// Series returns the traffic of the last d in at most so many points, without the releases.
	Series(ctx context.Context, p anchor.Project, d time.Duration, points int) (wire.Series, error)
}

func (s *server) statsRoutes() {
	stats := newOperation("get-stats", http.MethodGet, "/projects/{projectId}/stats", anchor.ScopeRead,
		"Get the traffic of a project by deployment", 404, 501)
	stats.Description += " Durations count from a request's head to the end of its answer, those of static files included."
	handleRoute(s, stats, s.getStats)

	history := newOperation("get-series", http.MethodGet, "/projects/{projectId}/series", anchor.ScopeRead,
		"Get the traffic of a project over time, with its releases", 404, 501)
	handleRoute(s, history, s.getSeries)

	metrics := newOperation("get-metrics", http.MethodGet, "/metrics", anchor.ScopeRead, "Get metrics for Prometheus", 501)
	metrics.Description += " The response is in the text format of Prometheus, or of OpenMetrics if `Accept` prefers that."
	text := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	metrics.Responses = map[string]*huma.Response{strconv.Itoa(http.StatusOK): {
		Content: map[string]*huma.MediaType{"text/plain": text, "application/openmetrics-text": text},
	}}
	metrics.Errors = append(metrics.Errors, http.StatusServiceUnavailable)
	handleRoute(s, metrics, s.getMetrics)
}

func (s *server) getStats(ctx context.Context, in *struct {
	InProject
	Last int `query:"last" minimum:"10" maximum:"2592000" default:"300" doc:"Seconds to look back, in steps of 10 s within the last day and of 10 min before"`
}) (*body[wire.Stats], error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	if s.Traffic == nil {
		return nil, noTraffic()
	}
	stats, err := s.Traffic.Stats(ctx, p, time.Duration(in.Last)*time.Second)
	if err != nil {
		return nil, err
	}
	return answerWith(stats), nil
}

func noTraffic() error {
	return newProblem(http.StatusNotImplemented, "no_traffic", "on AWS, Anchor does not see the requests",
		"See the metrics of the CloudFront distribution and of the functions in CloudWatch.")
}

func (s *server) getSeries(ctx context.Context, in *struct {
	InProject
	Last   int `query:"last" minimum:"60" maximum:"2592000" default:"3600" doc:"Seconds to look back"`
	Points int `query:"points" minimum:"2" maximum:"500" default:"120" doc:"Largest number of points"`
}) (*body[wire.Series], error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	if s.Traffic == nil {
		return nil, noTraffic()
	}
	series, err := s.Traffic.Series(ctx, p, time.Duration(in.Last)*time.Second, in.Points)
	if err != nil {
		return nil, err
	}
	series.Releases, err = s.releasesSince(ctx, p.ID, time.Now().Add(-time.Duration(in.Last)*time.Second).UnixMilli())
	if err != nil {
		return nil, err
	}
	return answerWith(series), nil
}

// releasesSince returns the newest 100 releases of a project since a time, oldest first.
func (s *server) releasesSince(ctx context.Context, p anchor.ProjectID, since int64) ([]wire.SeriesMarker, error) {
	list, err := s.Releases.List(ctx, p, anchor.Page{Limit: 100})
	if err != nil {
		return nil, err
	}
	markers := []wire.SeriesMarker{}
	for _, r := range list.Items {
		if r.CreatedAt < since {
			break
		}
		markers = append(markers, wire.SeriesMarker{At: r.CreatedAt, Version: r.Version, Kind: r.Kind, DeploymentID: r.Deployment})
	}
	slices.Reverse(markers)
	return markers, nil
}

func (s *server) getMetrics(context.Context, *none) (*huma.StreamResponse, error) {
	if s.Metrics == nil {
		return nil, newProblem(http.StatusNotImplemented, "no_metrics", "on AWS, Anchor has no metrics",
			"See the metrics of the CloudFront distribution and of the functions in CloudWatch.")
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		s.Metrics.ServeHTTP(w, r)
	}}, nil
}
