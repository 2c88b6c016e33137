package authpolicy

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestPosition finds every character of texts whose lines are shorter and longer than what is counted at a time.
func TestPosition(t *testing.T) {
	for _, text := range []string{"", "a", "é", "\n", "a\n\né世𝄞\n", strings.Repeat("a", block), strings.Repeat("é世", 3*block), strings.Repeat("世\n", 2*block),
		strings.Repeat("a", block-1) + "𝄞\n" + strings.Repeat("b", 2*block)} {
		s, want, before := newSource(text), Position{1, 1}, 0
		for at := 0; ; before++ {
			if got := s.position(at); got != want || s.characters(at) != before {
				t.Fatalf("%.20q: byte %d is at %v after %d characters, want %v after %d", text, at, got, s.characters(at), want, before)
			}
			if at == len(text) {
				break
			}
			r, size := utf8.DecodeRuneInString(text[at:])
			at += size
			want.Column++
			if r == '\n' {
				want = Position{want.Line + 1, 1}
			}
		}
	}
}

// TestFaultsAreBounded gives about as many findings as there may be for a document of tens of thousands of faults in one line,
// which would take minutes if each were looked for from the beginning.
func TestFaultsAreBounded(t *testing.T) {
	for _, c := range []string{"{}", "1", `{"Effect":"Allow","Action":"*","Resource":"*","Sid":""}`} {
		text := fmt.Sprintf(`{"Version":"2012-10-17","Id":"é","Statement":[%s]}`, strings.Join(strings.Fields(strings.Repeat(c+" ", (MaxSize-60)/(len(c)+1))), ","))
		if n := len(Lint(text, Identity)); n < maxFindings || n > maxFindings+10 {
			t.Errorf("%s: %d findings of %d bytes", c, n, len(text))
		}
	}
}
