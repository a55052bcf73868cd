package recordstest

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

var envTests = []test{
	{"comes back whole and by name", func(b bench) {
		p, other := b.project("shop").ID, b.project("other").ID
		var v anchor.EnvVar
		fill(&v)
		v.Name, v.Value = "B", "\x00\xff\xfe not UTF-8"
		first := anchor.EnvVar{Name: "A", For: anchor.EnvRun}
		b.ok(b.s.PutEnv(b.ctx, p, []anchor.EnvVar{v, first}))
		b.same(must(b.s.EnvRows(b.ctx, p))(b), []anchor.EnvVar{first, v})
		b.same(must(b.s.EnvRows(b.ctx, other))(b), []anchor.EnvVar{})
	}},
	{"is replaced by name", func(b bench) {
		p := b.project("shop").ID
		keep := anchor.EnvVar{Name: "a", Value: "0", For: anchor.EnvRun, UpdatedAt: 1}
		b.ok(b.s.PutEnv(b.ctx, p, []anchor.EnvVar{keep, {Name: "A", Value: "1", For: anchor.EnvRun, UpdatedAt: 1}}))
		v := anchor.EnvVar{Name: "A", Value: "2", For: anchor.EnvBuild, UpdatedAt: 2}
		for range 2 {
			b.ok(b.s.PutEnv(b.ctx, p, []anchor.EnvVar{v}))
		}
		b.same(must(b.s.EnvRows(b.ctx, p))(b), []anchor.EnvVar{v, keep})
	}},
	{"is removed by name", func(b bench) {
		p, other := b.project("shop").ID, b.project("other").ID
		v := anchor.EnvVar{Name: "A", Value: "1", For: anchor.EnvRun}
		b.ok(b.s.PutEnv(b.ctx, p, []anchor.EnvVar{v}))
		b.ok(b.s.PutEnv(b.ctx, other, []anchor.EnvVar{v}))
		b.ok(b.s.DeleteEnv(b.ctx, p, anchor.EnvSlot{Name: "A"}))
		b.is(b.s.DeleteEnv(b.ctx, p, anchor.EnvSlot{Name: "A"}), anchor.KindNotFound, "unknown_env")
		b.same(must(b.s.EnvRows(b.ctx, p))(b), []anchor.EnvVar{})
		b.same(must(b.s.EnvRows(b.ctx, other))(b), []anchor.EnvVar{v})
	}},
	{"has a slot for each environment and branch", func(b bench) {
		p := b.project("shop").ID
		var want []anchor.EnvVar
		for i, slot := range []anchor.EnvSlot{
			{Name: "A"}, {Name: "A", Environment: anchor.EnvPreview}, {Name: "A", Environment: anchor.EnvPreview, Branch: "a@b/ü"},
			{Name: "A", Environment: anchor.EnvPreview, Branch: "feature/x"}, {Name: "A", Environment: anchor.EnvProduction}, {Name: "B"},
		} {
			want = append(want, anchor.EnvVar{
				Name: slot.Name, Environment: slot.Environment, Branch: slot.Branch, For: anchor.EnvRun, UpdatedAt: int64(i),
				Value: strings.Repeat("x", 100*(i+1)), // small and large ones
			})
		}
		b.ok(b.s.PutEnv(b.ctx, p, []anchor.EnvVar{want[3], want[0], want[5], want[1], want[4], want[2]}))
		b.same(must(b.s.EnvRows(b.ctx, p))(b), want)
		want[2].Value, want[2].UpdatedAt = "new", 9
		b.ok(b.s.PutEnv(b.ctx, p, want[2:3]))
		b.same(must(b.s.EnvRows(b.ctx, p))(b), want)
		b.is(b.s.DeleteEnv(b.ctx, p, anchor.EnvSlot{Name: "B", Environment: anchor.EnvPreview}), anchor.KindNotFound, "unknown_env")
		b.ok(b.s.DeleteEnv(b.ctx, p, want[0].Slot()))
		b.ok(b.s.DeleteEnv(b.ctx, p, want[3].Slot()))
		b.same(must(b.s.EnvRows(b.ctx, p))(b), []anchor.EnvVar{want[1], want[2], want[4], want[5]})
	}},
	{"is of projects and deployments there are", func(b bench) {
		b.is(b.s.PutEnv(b.ctx, "unknown", []anchor.EnvVar{{Name: "A"}}), anchor.KindNotFound, "unknown_project")
		b.is(b.s.DeleteEnv(b.ctx, "unknown", anchor.EnvSlot{Name: "A"}), anchor.KindNotFound, "unknown_env")
		b.same(must(b.s.EnvRows(b.ctx, "unknown"))(b), []anchor.EnvVar{})
		_, err := b.s.LockEnv(b.ctx, "unknown", []byte("x"))
		b.is(err, anchor.KindNotFound, "unknown_deployment")
		_, err = b.s.LockedEnv(b.ctx, "unknown")
		b.is(err, anchor.KindNotFound, "env_not_locked")
	}},
	{"takes a hundred large values at once", func(b bench) {
		p := b.project("shop").ID
		var vars []anchor.EnvVar
		for i := range 100 {
			vars = append(vars, anchor.EnvVar{Name: fmt.Sprintf("V%02d", i), Value: string(large(33 << 10)), For: anchor.EnvBoth})
		}
		b.ok(b.s.PutEnv(b.ctx, p, vars))
		b.same(must(b.s.EnvRows(b.ctx, p))(b), vars)
	}},
	{"is locked once", func(b bench) {
		d := b.deployment(b.project("shop").ID, anchor.Deploying)
		_, err := b.s.LockedEnv(b.ctx, d.ID)
		b.is(err, anchor.KindNotFound, "env_not_locked")
		first := string(large(256 << 10))
		b.same(string(must(b.s.LockEnv(b.ctx, d.ID, []byte(first)))(b)), first)
		b.same(string(must(b.s.LockEnv(b.ctx, d.ID, []byte("second")))(b)), first)
		b.same(string(must(b.s.LockedEnv(b.ctx, d.ID))(b)), first)
	}},
	{"is locked to one value when many race for it", func(b bench) {
		d := b.deployment(b.project("shop").ID, anchor.Deploying)
		got := make([][]byte, 20)
		b.race(len(got), func(i int) (err error) {
			got[i], err = b.s.LockEnv(b.ctx, d.ID, []byte{byte(i)})
			return err
		})
		for _, one := range got {
			b.same(one, got[0])
		}
	}},
}

func large(n int) []byte { return bytes.Repeat([]byte("\x00\xffA"), n/3) }
