package recordstest

import (
	"github.com/anchor-deploy/anchor/internal/anchor"
)

func (b bench) token(hash string) anchor.Token {
	b.Helper()
	t := anchor.Token{ID: anchor.NewID(), Name: "ci", Scope: anchor.ScopeDeploy, Hash: []byte(hash), CreatedAt: now()}
	b.ok(b.s.CreateToken(b.ctx, t))
	return t
}

var tokenTests = []test{
	{"come back whole", func(b bench) {
		var t anchor.Token
		fill(&t)
		b.ok(b.s.CreateToken(b.ctx, t))
		b.same(must(b.s.TokenByHash(b.ctx, t.Hash))(b), t)
		b.same(must(b.s.Tokens(b.ctx))(b), []anchor.Token{t})
	}},
	{"have an id and a hash of their own", func(b bench) {
		t := b.token("one")
		b.is(b.s.CreateToken(b.ctx, anchor.Token{ID: t.ID, Hash: []byte("two")}), anchor.KindConflict, "id_taken")
		b.is(b.s.CreateToken(b.ctx, anchor.Token{ID: anchor.NewID(), Hash: []byte("one")}), anchor.KindConflict, "id_taken")
		b.same(must(b.s.Tokens(b.ctx))(b), []anchor.Token{t})
	}},
	{"are listed newest first", func(b bench) {
		b.same(must(b.s.Tokens(b.ctx))(b), []anchor.Token{})
		old, young := b.token("one"), b.token("two")
		b.same(must(b.s.Tokens(b.ctx))(b), []anchor.Token{young, old})
	}},
	{"are revoked once", func(b bench) {
		t, other := b.token("one"), b.token("two")
		b.ok(b.s.RevokeToken(b.ctx, t.ID, 7))
		b.ok(b.s.RevokeToken(b.ctx, t.ID, 9))
		t.RevokedAt = 7
		b.same(must(b.s.TokenByHash(b.ctx, t.Hash))(b), t)
		b.same(must(b.s.TokenByHash(b.ctx, other.Hash))(b), other)
	}},
	{"are not found when unknown", func(b bench) {
		b.token("one")
		for _, hash := range [][]byte{[]byte("on"), []byte("onee"), {}, nil} {
			_, err := b.s.TokenByHash(b.ctx, hash)
			b.is(err, anchor.KindNotFound, "unknown_token")
		}
		b.is(b.s.RevokeToken(b.ctx, "unknown", 1), anchor.KindNotFound, "unknown_token")
	}},
}
