package logs

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func (b *Book) search(t *testing.T, f anchor.LogFilter, limit int) string {
	t.Helper()
	var lines []anchor.LogLine
	for line, err := range b.Last(t.Context(), shop, f, limit) {
		must(t, err)
		lines = append(lines, line)
	}
	return texts(lines)
}

func TestLast_Filters(t *testing.T) {
	b := openBook(t, t.TempDir())
	for _, l := range []anchor.LogLine{
		{Time: 1000, DeploymentID: one, Function: "default", Level: "debug", Text: "a<b"},
		{Time: 2000, DeploymentID: one, Function: "default", Level: "info", Text: "Straße", RequestID: "r1", Path: "/cart"},
		{Time: 3000, DeploymentID: two, Function: "api", Level: "warn", Text: "slow", RequestID: "r1", Path: "/cart/1"},
		{Time: 4000, DeploymentID: two, Function: "default", Level: "error", Text: "quote\"d", Fields: map[string]any{"User": map[string]any{"id": 42.0}, "tags": []any{"Blue", nil, true}}},
		{Time: 5000, DeploymentID: two, Function: "default", Level: "note", Text: `a level that does not exist`},
	} {
		must(t, b.Append(shop, l))
	}
	for _, test := range []struct {
		f    anchor.LogFilter
		want string
	}{
		{anchor.LogFilter{Deployment: one}, "a<b Straße"},
		{anchor.LogFilter{Function: "api"}, "slow"},
		{anchor.LogFilter{RequestID: "r1"}, "Straße slow"},
		{anchor.LogFilter{Path: "/cart"}, "Straße"},
		{anchor.LogFilter{Level: "warn"}, "slow quote\"d"},
		{anchor.LogFilter{Level: "error"}, "quote\"d"},
		{anchor.LogFilter{Level: "debug"}, "a<b Straße slow quote\"d"},
		{anchor.LogFilter{Text: "A<B"}, "a<b"},
		{anchor.LogFilter{Text: "straSSE"}, ""},
		{anchor.LogFilter{Text: "STRAße"}, "Straße"},
		{anchor.LogFilter{Text: `e"D`}, "quote\"d"},
		{anchor.LogFilter{Text: "user"}, "quote\"d"},
		{anchor.LogFilter{Text: "42"}, "quote\"d"},
		{anchor.LogFilter{Text: "blue"}, "quote\"d"},
		{anchor.LogFilter{Text: "deploymentId"}, ""}, // of the encoding, not of the line
		{anchor.LogFilter{Since: 2000, Until: 4000}, "Straße slow"},
		{anchor.LogFilter{RequestID: "r1", Level: "warn"}, "slow"},
	} {
		if got := b.search(t, test.f, 10); got != test.want {
			t.Errorf("%+v selects %q, want %q", test.f, got, test.want)
		}
	}
}

// TestMatcher_AgreesWithFilter: what the octets of a line must have never hides a line that the filter selects.
func TestMatcher_AgreesWithFilter(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	letters := []rune("aAbB<>&\"\\/\n\t ßİıK1.{}:\u2028é\x00")
	word := func(most int) string {
		var b strings.Builder
		for range random.IntN(most + 1) {
			b.WriteRune(letters[random.IntN(len(letters))])
		}
		return b.String()
	}
	selected := 0
	for range 20_000 {
		l := anchor.LogLine{
			DeploymentID: anchor.DeploymentID(word(1)), Function: word(1), RequestID: word(1), Path: word(1),
			Level: anchor.LogLevels[random.IntN(4)], Text: word(6),
		}
		if random.IntN(3) == 0 {
			l.Fields = map[string]any{word(2): word(2), word(2): []any{word(2), float64(random.IntN(99)), true}}
		}
		f := anchor.LogFilter{Text: word(2), Level: []string{"", "info", "error"}[random.IntN(3)]}
		if random.IntN(3) == 0 {
			f.Deployment, f.Function = anchor.DeploymentID(word(1)), word(1)
		}
		if random.IntN(3) == 0 {
			f.RequestID, f.Path = word(1), word(1)
		}
		if random.IntN(3) == 0 {
			l.Time, f.Since, f.Until = random.Int64N(1<<uint(1+random.IntN(62)))-1, random.Int64N(3), random.Int64N(1<<uint(1+random.IntN(62)))
		}
		text, err := json.Marshal(l)
		must(t, err)
		var read anchor.LogLine
		must(t, json.Unmarshal(text, &read))
		want := f.Matches(&read)
		if _, got := newMatcher(f).match(text); got != want {
			t.Fatalf("%s matches %+v: %v, want %v", text, f, got, want)
		}
		if want {
			selected++
		}
	}
	if selected < 1000 {
		t.Errorf("only %d lines were selected", selected)
	}
}

// TestScanBack_ReadsWhatIsThere compares it with the lines of files of every shape around the size of a block.
func TestScanBack_ReadsWhatIsThere(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, size := range []int{0, 1, 2, block - 1, block, block + 1, 3*block + 7} {
		for round := range 4 {
			content := make([]byte, size)
			for i := range content {
				content[i] = 'x'
				if random.IntN(1<<(4*round+1)) == 0 {
					content[i] = '\n'
				}
			}
			path := filepath.Join(t.TempDir(), "log")
			must(t, os.WriteFile(path, content, 0o600))
			in, err := os.Open(path)
			must(t, err)
			type found struct {
				at   int64
				text string
			}
			var got, want []found
			must(t, scanBack(in, func(at int64, text []byte) bool { got = append(got, found{at, string(text)}); return true }))
			must(t, in.Close())
			at := 0
			for line := range strings.Lines(string(content)) {
				if text, complete := strings.CutSuffix(line, "\n"); complete {
					want = append(want, found{int64(at), text})
				}
				at += len(line)
			}
			slices.Reverse(want)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%d octets, round %d: %d lines, want %d", size, round, len(got), len(want))
			}
		}
	}
}

// turn fills the project's file until it is set aside.
func (b *Book) turn(t *testing.T, p anchor.ProjectID) {
	t.Helper()
	f, err := b.fileOf(p)
	must(t, err)
	big := strings.Repeat("-", 1<<20)
	for turns := f.turns; f.turns == turns; {
		b.write(t, p, two, big)
	}
}

// TestLast_AcrossManyFiles also lowers the limit of a project that has many files.
func TestLast_AcrossManyFiles(t *testing.T) {
	dir := t.TempDir()
	b, err := Open(dir, 4*MaxFile)
	must(t, err)
	for turn := range 6 {
		for i := range 4 {
			must(t, b.Append(shop, anchor.LogLine{Time: int64(turn), DeploymentID: one, Level: "error", Text: fmt.Sprintf("%d.%d", turn, i)}))
		}
		b.turn(t, shop)
	}
	if got := b.search(t, anchor.LogFilter{Level: "error"}, 9); got != "3.3 4.0 4.1 4.2 4.3 5.0 5.1 5.2 5.3" {
		t.Errorf("found %q", got)
	}
	if got := b.search(t, anchor.LogFilter{Text: "3.1"}, 9); got != "3.1" {
		t.Errorf("found %q", got)
	}
	if got := b.search(t, anchor.LogFilter{Text: "2.3"}, 9); got != "" {
		t.Errorf("a line of a removed file is found: %q", got)
	}
	// A file that was written to long ago has no newer lines, and is not read.
	must(t, os.Chtimes(filepath.Join(dir, string(shop)+".jsonl.2"), time.Time{}, time.UnixMilli(1)))
	if got := b.search(t, anchor.LogFilter{Level: "error", Since: slack.Milliseconds() + 2}, 100); got != "" {
		t.Errorf("found %q", got)
	}
	must(t, b.Close())

	b = openBook(t, dir)
	b.turn(t, shop)
	b.write(t, shop, one, "last")
	if got := b.search(t, anchor.LogFilter{Deployment: one}, 100); got != "last" {
		t.Errorf("found %q", got)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	if len(names) != 2 {
		t.Errorf("left: %v", names)
	}
}

func TestStructure(t *testing.T) {
	for _, test := range []struct{ text, level, message, fields string }{
		{`{"level":50,"time":1,"msg":"no stock","sku":"a1"}`, "error", "no stock", `{"sku":"a1","time":1}`},
		{`{"level":"warning","message":"slow"}`, "warn", "slow", ""},
		{`{"severity":"CRITICAL","message":"down"}`, "error", "down", ""},
		{`{"level":99,"msg":"odd"}`, "info", "odd", `{"level":99}`},
		{` {"msg":"padded"} `, "info", "padded", ""},
		{`{"msg":7}`, "info", `{"msg":7}`, ""},
		{`{"a":1}`, "info", `{"a":1}`, ""},
		{`{"msg":"cut`, "info", `{"msg":"cut`, ""},
		{`[1]`, "info", `[1]`, ""},
		{`{}`, "info", `{}`, ""},
		{``, "info", ``, ""},
	} {
		l := anchor.LogLine{Level: "info", Text: test.text}
		Structure(&l)
		fields := ""
		if l.Fields != nil {
			text, err := json.Marshal(l.Fields)
			must(t, err)
			fields = string(text)
		}
		if l.Level != test.level || l.Text != test.message || fields != test.fields {
			t.Errorf("%s: %s %q %s", test.text, l.Level, l.Text, fields)
		}
	}
}
