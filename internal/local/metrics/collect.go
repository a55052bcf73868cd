package metrics

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/local/edge/meter"
)

var (
	info = gauge("anchor_info", "The version of Anchor.", "version")

	requests = counter("anchor_http_requests_total", "Requests by what answered them and the class of the status.",
		"project", "deployment", "function", "cache", "code")
	octets    = counter("anchor_http_response_body_bytes_total", "Octets of bodies sent to clients.", "project", "deployment", "cache")
	durations = prometheus.NewDesc("anchor_http_request_duration_seconds", "Time from a request's head to the end of its answer.",
		[]string{"project", "deployment", "cache"}, nil)
	inFlight    = gauge("anchor_http_requests_in_flight", "Requests of a deployment that are being answered.", "project", "deployment")
	allInFlight = gauge("anchor_http_in_flight", "Requests that are being answered.")
	refusals    = counter("anchor_http_refusals_total", "Requests that the edge refused.", "reason")

	connections        = gauge("anchor_connections_open", "Connections of clients that are open.")
	accepted           = counter("anchor_connections_accepted_total", "Connections of clients that were accepted.")
	refusedConnections = counter("anchor_connections_refused_total", "Connections of clients that were closed at once.", "reason")
	handshakes         = counter("anchor_tls_handshakes_total", "TLS handshakes.", "result")
	lines              = counter("anchor_access_log_lines_total", "Lines of the access log; those that are dropped did not fit into the buffer.", "result")

	drained = counter("anchor_drain_lines_total", "Log lines for other servers; those that are dropped did not fit into the buffer, or were refused.", "result")

	pageBytes     = gauge("anchor_page_cache_bytes", "Memory of the answers that visitors share.")
	pageCapacity  = gauge("anchor_page_cache_capacity_bytes", "The most memory of these answers.")
	pageEntries   = gauge("anchor_page_cache_entries", "Answers that visitors share, estimated.")
	pageEvictions = counter("anchor_page_cache_evictions_total", "Answers that were removed to make room.")

	builds      = gauge("anchor_builds", "Builds of pushed commits.", "state")
	projects    = gauge("anchor_projects", "Projects.")
	deployments = gauge("anchor_deployments", "Deployments in the records.", "status")
	database    = gauge("anchor_records_bytes", "Size of the records.")
	free        = gauge("anchor_data_free_bytes", "Free space of the disk that holds the data folder.")
	expiry      = gauge("anchor_certificate_expiry_timestamp_seconds", "When the certificate of a name expires; of the names whose certificates expire first.", "name")
	certs       = gauge("anchor_certificates", "Names that have a certificate.")
)

// workerLabels are those of every metric of workers.
var workerLabels = []string{"project", "deployment", "function"}

var (
	processes   = gauge("anchor_worker_processes", "Processes of a function.", append(workerLabels, "state")...)
	calls       = gauge("anchor_worker_requests", "Requests that a function answers, and that wait for a process.", append(workerLabels, "state")...)
	starts      = counter("anchor_worker_starts_total", "Processes that were started.", workerLabels...)
	restarts    = counter("anchor_worker_restarts_total", "Processes that ended by themselves.", workerLabels...)
	refused     = counter("anchor_worker_refused_requests_total", "Requests that no process took.", workerLabels...)
	processor   = counter("anchor_worker_cpu_seconds_total", "Processor time.", workerLabels...)
	memory      = gauge("anchor_worker_memory_bytes", "Resident memory.", workerLabels...)
	heap        = gauge("anchor_worker_heap_bytes", "Used heap of the processes that had requests lately.", workerLabels...)
	loopDelay   = gauge("anchor_worker_event_loop_delay_seconds", "Delay of the event loop within 5 s, of the worst process.", append(workerLabels, "statistic")...)
	collecting  = counter("anchor_worker_gc_seconds_total", "Time of garbage collections.", workerLabels...)
	collections = counter("anchor_worker_gc_total", "Garbage collections.", workerLabels...)
)

// shown are the buckets of durations for Prometheus, a choice of meter.Bounds.
var shown = []time.Duration{
	250 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond,
	5 * time.Second, 10 * time.Second, 50 * time.Second,
}

// collectTraffic sends the requests of a site. One that has had none has no series.
func collectTraffic(out chan<- prometheus.Metric, s *edge.SiteMeasures) {
	var byOutcome [meter.Dynamic + 1]Totals
	for i := range s.Samples {
		one := s.Samples[i : i+1]
		t := Sum(one)
		requests.send(out, float64(t.Requests), s.Slug, s.Deployment, one[0].Function, one[0].Outcome.String(), strconv.Itoa(one[0].Class)+"xx")
		sum := &byOutcome[one[0].Outcome]
		sum.Requests, sum.Octets = sum.Requests+t.Requests, sum.Octets+t.Octets
		sum.Durations.Add(&t.Durations)
	}
	for o := range byOutcome {
		t := &byOutcome[o]
		if t.Requests == 0 {
			continue
		}
		outcome := meter.Outcome(o).String()
		octets.send(out, float64(t.Octets), s.Slug, s.Deployment, outcome)
		sendDurations(out, &t.Durations, s.Slug, s.Deployment, outcome)
	}
	if s.Deployment != "" && (len(s.Samples) > 0 || s.InFlight > 0) {
		inFlight.send(out, float64(s.InFlight), s.Slug, s.Deployment)
	}
}

func sendDurations(out chan<- prometheus.Metric, c *meter.Counts, labels ...string) {
	buckets := make(map[float64]uint64, len(shown))
	for _, bound := range shown {
		buckets[bound.Seconds()] = c.UpTo(bound)
	}
	m, err := prometheus.NewConstHistogram(durations, c.Total(), c.Sum.Seconds(), buckets, labels...)
	if err != nil {
		m = prometheus.NewInvalidMetric(durations, err)
	}
	out <- m
}

func (c *collector) collectEdge(out chan<- prometheus.Metric, m *edge.Measures) {
	allInFlight.send(out, float64(m.InFlight))
	for reason, n := range m.Refusals {
		refusals.send(out, float64(n), reason)
	}
	connections.send(out, float64(m.Connections))
	accepted.send(out, float64(m.Accepted))
	refusedConnections.send(out, float64(m.RefusedFull), "full")
	refusedConnections.send(out, float64(m.RefusedPerClient), "per_client")
	handshakes.send(out, float64(m.FullHandshakes), "full")
	handshakes.send(out, float64(m.ResumedHandshakes), "resumed")
	handshakes.send(out, float64(m.FailedHandshakes), "failed")
	lines.send(out, float64(m.Written), "written")
	lines.send(out, float64(m.Dropped), "dropped")
	if c.Pages != nil {
		usage := c.Pages()
		pageBytes.send(out, float64(usage.Bytes))
		pageCapacity.send(out, float64(usage.Capacity))
		pageEntries.send(out, float64(usage.Entries))
		pageEvictions.send(out, float64(usage.Evictions))
	}
}

func collectWorker(out chan<- prometheus.Metric, w Worker) {
	of := []string{w.Slug, w.Deployment, w.Function}
	with := func(label string) []string { return append(of[:3:3], label) }
	processes.send(out, float64(w.Processes), with("ready")...)
	processes.send(out, float64(w.Starting), with("starting")...)
	calls.send(out, float64(w.InFlight), with("running")...)
	calls.send(out, float64(w.Queued), with("queued")...)
	starts.send(out, float64(w.Launched), of...)
	restarts.send(out, float64(w.Restarts), of...)
	refused.send(out, float64(w.Refused), of...)
	processor.send(out, w.CPU.Seconds(), of...)
	memory.send(out, float64(w.RSS), of...)
	heap.send(out, float64(w.Heap), of...)
	loopDelay.send(out, w.DelayMedian.Seconds(), with("p50")...)
	loopDelay.send(out, w.DelayP99.Seconds(), with("p99")...)
	loopDelay.send(out, w.DelayMax.Seconds(), with("max")...)
	collecting.send(out, w.Collecting.Seconds(), of...)
	collections.send(out, float64(w.Collections), of...)
}

// mostNames is how many certificates are named; there may be ten thousand.
const mostNames = 100

func (c *collector) collectServer(out chan<- prometheus.Metric) {
	running, waiting := c.Builds()
	builds.send(out, float64(running), "running")
	builds.send(out, float64(waiting), "waiting")
	all := c.Certificates()
	slices.SortFunc(all, func(a, b Certificate) int { return cmp.Or(a.Expires.Compare(b.Expires), cmp.Compare(a.Name, b.Name)) })
	certs.send(out, float64(len(all)))
	for _, cert := range all[:min(len(all), mostNames)] {
		expiry.send(out, float64(cert.Expires.Unix()), cert.Name)
	}
	sent, dropped := c.Drained()
	drained.send(out, float64(sent), "sent")
	drained.send(out, float64(dropped), "dropped")
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	if r, err := c.Records(ctx); err != nil {
		out <- prometheus.NewInvalidMetric(projects.desc, err)
	} else {
		projects.send(out, float64(r.Projects))
		for status, n := range r.Deployments {
			deployments.send(out, float64(n), status)
		}
		database.send(out, float64(r.Bytes))
	}
	if n, err := c.FreeBytes(); err != nil {
		out <- prometheus.NewInvalidMetric(free.desc, err)
	} else {
		free.send(out, float64(n))
	}
}
