package series

import (
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/local/edge/meter"
	"github.com/anchor-deploy/anchor/internal/local/metrics"
	"github.com/anchor-deploy/anchor/internal/testleak"
)

func TestMain(m *testing.M) { testleak.Main(m) }

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// visits are the traffic of a deployment, to which requests are added.
type visits struct{ *meter.Traffic }

func (v visits) measure() []edge.SiteMeasures {
	return []edge.SiteMeasures{{Project: "p", Deployment: "d1", Samples: v.Samples()}, {Project: "p", Deployment: "idle"}}
}

func record(t *testing.T, s *Store, v visits, at time.Time) {
	t.Helper()
	if err := s.Record(t.Context(), at, v.measure); err != nil {
		t.Fatal(err)
	}
}

// wantRequests wants n requests of the deployment after a time, each of 3 octets and 40 ms.
func wantRequests(t *testing.T, s *Store, from time.Time, n int64) {
	t.Helper()
	all, err := s.Since(t.Context(), "p", from)
	if err != nil {
		t.Fatal(err)
	}
	got := all["d1"]
	if got.Requests != n || got.Octets != 3*n || got.Errors != n || got.ByOutcome[meter.Miss] != n || int64(got.Durations.Total()) != n ||
		got.Durations.Sum != time.Duration(n)*40*time.Millisecond {
		t.Errorf("since %s: %+v, want %d requests", from, got, n)
	}
	if _, found := all["idle"]; found {
		t.Error("a deployment without requests has points")
	}
}

func (s *Store) count(t *testing.T, step time.Duration) (n int) {
	t.Helper()
	if err := s.db.QueryRowContext(t.Context(), `SELECT count(*) FROM points WHERE step = ?`, seconds(step)).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestStore_StepByStepAndAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "traffic.db")
	s, v := open(t, path), visits{meter.NewTraffic()}
	begin := time.Unix(1_000_000_000, 0)
	at := begin
	for range 100 {
		at = at.Add(Step / 2) // two readings for each point
		v.Cell("", meter.Miss, 500).Add(1, 3, 40*time.Millisecond)
		record(t, s, v, at)
	}
	record(t, s, v, at)
	if n := s.count(t, Step); n != 50 {
		t.Errorf("%d points", n)
	}
	wantRequests(t, s, begin, 100)
	wantRequests(t, s, at.Add(-100*time.Second), 20)
	s.Close()
	s = open(t, path)
	record(t, s, visits{meter.NewTraffic()}, at.Add(Step))
	wantRequests(t, s, begin, 100)
	if all, err := s.Since(t.Context(), "another", begin); err != nil || len(all) != 0 {
		t.Errorf("%v %v", all, err)
	}
}

func TestTidy_RollsUpAndForgets(t *testing.T) {
	s, v := open(t, filepath.Join(t.TempDir(), "traffic.db")), visits{meter.NewTraffic()}
	begin := time.Unix(1_000_000_200, 0) // the end of a coarse step
	for n := range 2 * batch / 10 {
		v.Cell("", meter.Miss, 500).Add(1, 3, 40*time.Millisecond)
		record(t, s, v, begin.Add(time.Duration(n+1)*Step))
	}
	tidy := func(now time.Time) {
		t.Helper()
		if err := s.Tidy(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
	end := begin.Add(2 * batch / 10 * Step)
	tidy(end)
	if n := s.count(t, Step); n != 2*batch/10 {
		t.Errorf("%d points after a moment", n)
	}
	tidy(begin.Add(fineReach + 100*Step))
	if fine, rough := s.count(t, Step), s.count(t, coarse); fine != 300 || rough != 2 {
		t.Errorf("%d fine and %d coarse points after a day", fine, rough)
	}
	wantRequests(t, s, begin, 400)
	tidy(end.Add(fineReach + Step))
	if fine, rough := s.count(t, Step), s.count(t, coarse); fine != 0 || rough != 7 {
		t.Errorf("%d fine and %d coarse points after two days", fine, rough)
	}
	wantRequests(t, s, begin, 400)
	tidy(end.Add(coarseReach + coarse))
	if n := s.count(t, coarse); n != 0 {
		t.Errorf("%d points after a month", n)
	}
}

func TestTidy_BoundsThePoints(t *testing.T) {
	s, v := open(t, filepath.Join(t.TempDir(), "traffic.db")), visits{meter.NewTraffic()}
	s.mostFine, s.mostCoarse = 30, 2
	at := time.Unix(1_000_000_200, 0)
	for range 300 {
		v.Cell("", meter.Miss, 500).Add(1, 3, 40*time.Millisecond)
		at = at.Add(Step)
		record(t, s, v, at)
	}
	if err := s.Tidy(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	if fine, rough := s.count(t, Step), s.count(t, coarse); fine != 30 || rough != 2 {
		t.Errorf("%d fine and %d coarse points", fine, rough)
	}
}

func TestOpen_DamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "traffic.db")
	if err := os.WriteFile(path, []byte("this is not a database, and long enough to look at it"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	wantRequests(t, s, time.Unix(0, 0), 0)
	if _, err := os.Stat(path + ".damaged"); err != nil {
		t.Error(err)
	}
	if _, err := Open(t.Context(), filepath.Join(path, "below a file"), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("opened below a file")
	}
}

func FuzzDecode(f *testing.F) {
	var c meter.Counts
	c.Buckets[3], c.Buckets[61], c.Sum = 7, 1, time.Second
	f.Add(encodeDurations(&c))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p point
		_ = decodeOutcomes(b, &p.Totals)
		if decodeDurations(b, &p.Durations) != nil {
			return
		}
		var again meter.Counts
		if err := decodeDurations(encodeDurations(&p.Durations), &again); err != nil || again != p.Durations {
			t.Errorf("%v: %+v", err, again)
		}
	})
}

func TestStore_Buckets(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "traffic.db"))
	now := time.Unix(1_800_000_000, 0)
	for i, requests := range []int64{1, 2, 4} {
		d := metrics.Delta{Project: "p", Deployment: string(rune('a' + i)), Totals: metrics.Totals{Requests: requests}}
		err := s.change(t.Context(), "add", func(tx *sql.Tx) error {
			return addPoint(t.Context(), tx, Step, now.Add(-time.Duration(i)*30*time.Second).Unix(), &d)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	buckets, step, err := s.Buckets(t.Context(), "p", now.Add(-2*time.Minute), now, 4)
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for _, b := range buckets {
		got = append(got, b.Requests)
	}
	if step != 30*time.Second || !slices.Equal(got, []int64{0, 4, 2, 1}) || !buckets[3].At.Equal(now) {
		t.Errorf("the buckets of %s are %v, the last one of %s", step, got, buckets[3].At)
	}
	for _, last := range []time.Duration{time.Minute, time.Hour, 24 * time.Hour, 30 * 24 * time.Hour} {
		for _, most := range []int{2, 7, 180, 500} {
			buckets, step, err := s.Buckets(t.Context(), "p", now.Add(-last), now, most)
			if err != nil || len(buckets) > most || len(buckets) == 0 || step%Step != 0 {
				t.Errorf("%s in at most %d: %d buckets of %s, %v", last, most, len(buckets), step, err)
			}
		}
	}
}
