package logs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/testleak"
)

func TestMain(m *testing.M) { testleak.Main(m) }

const (
	shop  = anchor.ProjectID("01jaaaaaaaaaaaaaaaaaaaaaaa")
	other = anchor.ProjectID("01jbbbbbbbbbbbbbbbbbbbbbbb")
	one   = anchor.DeploymentID("01jccccccccccccccccccccccc")
	two   = anchor.DeploymentID("01jddddddddddddddddddddddd")
)

func openBook(t *testing.T, dir string) *Book {
	t.Helper()
	b, err := Open(dir, 2*MaxFile)
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	return b
}

func (b *Book) write(t *testing.T, p anchor.ProjectID, d anchor.DeploymentID, texts ...string) {
	t.Helper()
	for _, text := range texts {
		must(t, b.Append(p, anchor.LogLine{DeploymentID: d, Level: "info", Text: text}))
	}
}

func (b *Book) want(t *testing.T, p anchor.ProjectID, d anchor.DeploymentID, limit int, want ...string) {
	t.Helper()
	lines := b.last(t, p, d, limit)
	if got := texts(lines); got != strings.Join(want, " ") {
		t.Errorf("read %q, want %q", got, want)
	}
}

func (b *Book) last(t *testing.T, p anchor.ProjectID, d anchor.DeploymentID, limit int) (lines []anchor.LogLine) {
	t.Helper()
	for line, err := range b.Last(t.Context(), p, anchor.LogFilter{Deployment: d}, limit) {
		must(t, err)
		lines = append(lines, line)
	}
	return lines
}

func texts(lines []anchor.LogLine) string {
	all := make([]string, len(lines))
	for i, l := range lines {
		all[i] = l.Text
	}
	return strings.Join(all, " ")
}

func TestLast_ReturnsLastLines(t *testing.T) {
	b := openBook(t, t.TempDir())
	b.want(t, shop, "", 10)
	b.write(t, shop, one, "a", "b", "c")
	b.write(t, shop, two, "d")
	b.write(t, other, two, "x")
	b.want(t, shop, "", 10, "a", "b", "c", "d")
	b.want(t, shop, "", 2, "c", "d")
	b.want(t, shop, one, 2, "b", "c")
	b.want(t, other, "", 10, "x")
	b.want(t, other, one, 10)
}

func TestAppend_SurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	b := openBook(t, dir)
	b.write(t, shop, one, "a")
	must(t, b.Close())
	b = openBook(t, dir)
	b.write(t, shop, one, "b")
	b.want(t, shop, "", 10, "a", "b")
}

// TestAppend_TornLine: a crash in the middle of a write leaves a torn line.
func TestAppend_TornLine(t *testing.T) {
	dir := t.TempDir()
	b := openBook(t, dir)
	b.write(t, shop, one, "a")
	must(t, b.Close())
	f, err := os.OpenFile(filepath.Join(dir, string(shop)+".jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString(`{"time":1,"text":"to`)
	must(t, errors.Join(err, f.Close()))
	b = openBook(t, dir)
	b.want(t, shop, "", 10, "a")
	b.write(t, shop, one, "b", "c")
	b.want(t, shop, "", 10, "a", "b", "c")
}

// fill fills the project's file almost to the limit.
func (b *Book) fill(t *testing.T, p anchor.ProjectID) {
	t.Helper()
	f, err := b.fileOf(p)
	must(t, err)
	big := strings.Repeat("-", 1<<20)
	for f.size+2<<20 < MaxFile {
		b.write(t, p, two, big)
	}
	b.write(t, p, two, strings.Repeat("-", int(MaxFile-f.size)-512))
}

func TestAppend_RotatesFullFile(t *testing.T) {
	dir := t.TempDir()
	b := openBook(t, dir)
	b.write(t, shop, one, "first")
	for turn := range 3 {
		b.fill(t, shop)
		for i := range 20 { // over the limit among these
			b.write(t, shop, one, fmt.Sprintf("%d.%d", turn, i))
		}
	}
	lines := b.last(t, shop, one, 100)
	if got := texts(lines); !strings.HasSuffix(got, "2.17 2.18 2.19") || strings.Contains(got, "first") {
		t.Errorf("read %q", got)
	}
	entries, err := os.ReadDir(dir)
	must(t, err)
	var size int64
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		size += info.Size()
	}
	if len(entries) != 2 || size > 2*MaxFile+1<<10 {
		t.Errorf("%d files of %d bytes", len(entries), size)
	}
}

// TestFollow_AcrossRotation loses no line when the file is set aside under a follower.
func TestFollow_AcrossRotation(t *testing.T) {
	b := openBook(t, t.TempDir())
	b.write(t, shop, one, "before")
	b.fill(t, shop)
	f, err := b.fileOf(shop)
	must(t, err)
	const count = 200
	got := 0
	at, err := f.endPlace()
	must(t, err)
	for i := range count { // unseen until the first look, which spans the turn
		b.write(t, shop, one, fmt.Sprint(i))
	}
	_, _, err = f.linesSince(at, func(l anchor.LogLine) {
		if l.Text != fmt.Sprint(got) {
			t.Fatalf("line %d is %q", got, l.Text)
		}
		got++
	})
	must(t, err)
	if f.turns != 1 || got != count {
		t.Errorf("after %d turns %d lines of %d came", f.turns, got, count)
	}
}

func TestFollow_OneDeployment(t *testing.T) {
	b := openBook(t, t.TempDir())
	b.write(t, shop, one, "before")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	following := b.Follow(ctx, shop, anchor.LogFilter{Deployment: one})
	b.write(t, shop, two, "not this")
	b.write(t, shop, one, "1") // before the first line is received
	seen := 0
	for l, err := range following {
		must(t, err)
		if seen++; l.Text != strconv.Itoa(seen) {
			t.Errorf("followed %q as the line %d", l.Text, seen)
		}
		if seen == 3 {
			stop()
			continue
		}
		b.write(t, shop, two, "not this")
		b.write(t, shop, one, strconv.Itoa(seen+1))
	}
	if seen != 3 {
		t.Errorf("%d lines were followed", seen)
	}
}

func TestRemove(t *testing.T) {
	dir := t.TempDir()
	b := openBook(t, dir)
	b.write(t, shop, one, "a")
	must(t, b.Remove(shop))
	must(t, b.Remove(shop))
	b.want(t, shop, "", 10)
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
	b.write(t, shop, one, "b")
	b.want(t, shop, "", 10, "b")
}

func TestBook_ForeignNames(t *testing.T) {
	b := openBook(t, t.TempDir())
	if err := b.Append("../../etc/passwd", anchor.LogLine{}); anchor.KindOf(err) != anchor.KindInvalid {
		t.Errorf("appended: %v", err)
	}
	for _, err := range b.Follow(t.Context(), "..", anchor.LogFilter{}) {
		if anchor.KindOf(err) != anchor.KindInvalid {
			t.Errorf("followed: %v", err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
