package domains

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// findHomographs warns of labels that can be mistaken for others: letters of scripts that no
// language mixes (UTS #39 §5.2, Highly Restrictive), or all of them Cyrillic or Greek that look
// Latin (§4.2, whole-script confusables).
func findHomographs(name string) (warnings []string) {
	for label := range strings.SplitSeq(name, ".") {
		scripts := scriptsOf(label)
		if !mayMix(scripts) {
			warnings = append(warnings, fmt.Sprintf(
				"%q mixes letters of %s: browsers show such a name in its xn-- form, because it can be taken for another",
				label, strings.Join(scripts, " and ")))
		} else if twin := latinTwin(label); twin != "" {
			warnings = append(warnings, fmt.Sprintf(
				"%q is written in %s letters and looks like %q: browsers show such a name in its xn-- form", label, scripts[0], twin))
		}
	}
	return warnings
}

// scriptsOf returns the names of a label's scripts, sorted; digits, hyphens and
// combining marks have none.
func scriptsOf(label string) (found []string) {
	for _, r := range label {
		if unicode.In(r, unicode.Common, unicode.Inherited) {
			continue
		}
		for name, table := range unicode.Scripts {
			if unicode.Is(table, r) && !slices.Contains(found, name) {
				found = append(found, name)
			}
		}
	}
	slices.Sort(found)
	return found
}

// together are the scripts that one language writes with.
var together = [][]string{
	{"Han", "Hiragana", "Katakana", "Latin"},
	{"Bopomofo", "Han", "Latin"},
	{"Han", "Hangul", "Latin"},
}

func mayMix(scripts []string) bool {
	return len(scripts) < 2 || slices.ContainsFunc(together, func(set []string) bool {
		return !slices.ContainsFunc(scripts, func(s string) bool { return !slices.Contains(set, s) })
	})
}

// twins are the letters of other scripts that look like Latin ones in most fonts
// (Unicode confusables.txt, lower case).
var twins = strings.NewReplacer(
	"а", "a", "с", "c", "ԁ", "d", "е", "e", "һ", "h", "і", "i", "ј", "j", "ӏ", "l", "о", "o", "р", "p",
	"ԛ", "q", "ѕ", "s", "ԝ", "w", "х", "x", "у", "y", "ѵ", "v", "ь", "b", "к", "k", "м", "m", "н", "h", "т", "t", "в", "b", "г", "r", "п", "n",
	"α", "a", "ν", "v", "ο", "o", "ρ", "p", "ι", "i", "κ", "k", "υ", "u", "γ", "y", "τ", "t", "χ", "x", "η", "n",
)

// latinTwin returns the ASCII word that all of a label's letters look like, "" when
// one does not or the label is ASCII itself.
func latinTwin(label string) string {
	twin := twins.Replace(label)
	if twin == label || strings.ContainsFunc(twin, func(r rune) bool { return r > unicode.MaxASCII }) {
		return ""
	}
	return twin
}
