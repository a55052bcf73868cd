package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
)

const staticConnections = 32

// staticPeer is a server that files are compared with.
type staticPeer struct {
	name, setup, budget string
	start               func(ctx context.Context, root, path string) (*process, string, error)
}

// measureStatic serves hashed files of the storefront, one core for the server and another for the load: two sizes beside
// nginx, and the larger one beside Caddy.
func measureStatic(ctx context.Context, l *lab) ([]result, error) {
	assets := filepath.Join(l.storefront, ".open-next", "assets")
	s, err := l.shop(ctx, "0")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	nginx := staticPeer{"nginx", "one worker, sendfile, open_file_cache, no access log", "≥ 1.2 × nginx (stretch 1.5 ×)", l.nginx}
	caddy := staticPeer{"Caddy", "file_server, no access log", "≥ 1.2 × Caddy", l.caddy}
	var rows []result
	for _, row := range []struct {
		what    string
		nearest int64 // octets
		staticPeer
	}{
		{"static asset, one core each", typical, nginx},
		{"small static asset, one core each", 6 << 10, nginx},
		{"static asset beside Caddy, one core each", typical, caddy},
	} {
		path, length, err := typicalChunk(assets, row.nearest)
		if err != nil {
			return nil, err
		}
		peer, base, err := row.start(ctx, assets, path)
		if err != nil {
			return nil, err
		}
		v, err := l.staticContest(ctx, s, peer, base, path)
		peer.stop()
		if err != nil {
			return nil, err
		}
		ratio := median(v.costRatios())
		rows = append(rows, result{
			what: row.what, ours: side(v.ours), peer: row.name + ": " + side(v.peer),
			ratio: times(ratio), budget: row.budget + ", by processor time", verdict: judge(ratio >= 1.2),
			how: []string{
				fmt.Sprintf("GET of a hashed file of %s, uncompressed; %d keep-alive connections of one wrk thread. The server is confined to one core and wrk to another; "+
					"%d interleaved rounds of %s. %s: %s. Anchor's process was on its core for %.0f %% of the time, the peer's for %.0f %%: below a hundred wrk, or its connection, is the limit. "+
					"A request took %.1f µs of Anchor's processor time and %.1f µs of the peer's: the ratio is that of the two.",
					size(length), staticConnections, l.rounds, l.length/2, row.name, row.setup, 100*median(v.oursBusy), 100*median(v.peerBy),
					median(costs(v.ours, v.oursBusy)), median(costs(v.peer, v.peerBy))),
				"Rounds by requests: " + v.rounds() + ".",
			},
		})
	}
	return rows, nil
}

func (l *lab) staticContest(ctx context.Context, s *server, peer *process, base, path string) (verdicts, error) {
	if err := sameBody(ctx, s.site(), base, path); err != nil {
		return verdicts{}, err
	}
	ask := load{cores: "1", connections: staticConnections, length: l.length / 2, host: shopHost}
	ours, theirs := ask, ask
	ours.url, theirs.url = s.site()+path, base+path
	return contest{ours: ours, peer: theirs, oursCPU: s.cpuTime, peerCPU: peer.cpuTime}.run(ctx, l.rounds, l.say)
}

// typical is about the size of a chunk of an app's own code, compressed ones aside.
const typical = 16 << 10

// typicalChunk returns the URL path of the build's hashed file whose size is nearest to want.
func typicalChunk(assets string, want int64) (path string, length int64, err error) {
	nearest := int64(math.MaxInt64)
	err = filepath.WalkDir(filepath.Join(assets, "_next", "static"), func(file string, e os.DirEntry, err error) error {
		if err != nil || filepath.Ext(file) != ".js" && filepath.Ext(file) != ".css" {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		off := max(info.Size()-want, want-info.Size())
		if off >= nearest {
			return nil
		}
		rel, err := filepath.Rel(assets, file)
		nearest, path, length = off, "/"+filepath.ToSlash(rel), info.Size()
		return err
	})
	if err == nil && path == "" {
		err = fmt.Errorf("%s has no hashed files", assets)
	}
	return path, length, err
}
