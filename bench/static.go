package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
)

const staticConnections = 32

// measureStatic serves a hashed file of the storefront, one core for the server
// and another for the load.
func measureStatic(ctx context.Context, l *lab) ([]result, error) {
	assets := filepath.Join(l.storefront, ".open-next", "assets")
	path, length, err := typicalChunk(assets, typical)
	if err != nil {
		return nil, err
	}
	s, err := l.shop(ctx, "0")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	peer, base, err := l.nginx(ctx, assets, path)
	if err != nil {
		return nil, err
	}
	defer peer.stop()
	if err := sameBody(ctx, s.site(), base, path); err != nil {
		return nil, err
	}
	ask := load{cores: "1", connections: staticConnections, length: l.length / 2, host: shopHost}
	ours, theirs := ask, ask
	ours.url, theirs.url = s.site()+path, base+path
	v, err := contest{ours: ours, peer: theirs, oursCPU: s.cpuTime, peerCPU: peer.cpuTime}.run(ctx, l.rounds, l.say)
	if err != nil {
		return nil, err
	}
	ratio := median(v.costRatios())
	return []result{{
		what: "static asset, one core each", ours: side(v.ours), peer: "nginx: " + side(v.peer),
		ratio: times(ratio), budget: "≥ 1.2 × nginx (stretch 1.5 ×), by processor time", verdict: judge(ratio >= 1.2),
		how: []string{
			fmt.Sprintf("GET of a hashed file of %s, of the build's the nearest to 16 kB, uncompressed; %d keep-alive connections of one wrk thread. The server is confined to one core and wrk to another; "+
				"%d interleaved rounds of %s. nginx: one worker, sendfile, open_file_cache, no access log. Anchor's process was on its core for %.0f %% of the time, nginx's worker for %.0f %%: below a hundred wrk, or its connection, is the limit. "+
				"A request took %.1f µs of Anchor's processor time and %.1f µs of nginx's: the ratio is that of the two.",
				size(length), staticConnections, l.rounds, ask.length, 100*median(v.oursBusy), 100*median(v.peerBy),
				median(costs(v.ours, v.oursBusy)), median(costs(v.peer, v.peerBy))),
			"Rounds by requests: " + v.rounds() + ". Caddy's file_server, which the budget names as well, is not measured yet.",
		},
	}}, nil
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
