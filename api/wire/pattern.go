package wire

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// pattern is a regular expression of an API model, which is Java's, for Go's matcher. The whole value must
// match. Go has no look-ahead, so those at the beginning are held apart, as patterns that must not match there.
type pattern struct {
	text string // as the model has it
	must *regexp.Regexp
	not  []*regexp.Regexp
}

// respelled are Lambda's patterns that look ahead or behind in their midst, in words that Go knows: a qualifier that is not
// all digits, a bucket that doesn't end with a dot, a collection that is not the system's.
var respelled = strings.NewReplacer(
	`(?!\d+$)[0-9a-zA-Z-_]+`, `[0-9a-zA-Z-_]*[a-zA-Z_-][0-9a-zA-Z-_]*`,
	`(?!^\d+$)^[0-9a-zA-Z-_]+$`, `[0-9a-zA-Z-_]*[a-zA-Z_-][0-9a-zA-Z-_]*`,
	`[0-9A-Za-z\.\-_]*(?<!\.)`, `[0-9A-Za-z\.\-_]*[0-9A-Za-z\-_]`,
	`(^(?!(system\x2e)))(^`, `(?!system\x2e)(`,
)

// compilePattern translates and compiles a pattern.
func compilePattern(text string) (*pattern, error) {
	p := &pattern{text: text}
	rest := strings.TrimPrefix(respelled.Replace(text), "^")
	for strings.HasPrefix(rest, "(?!") {
		end := closing(rest)
		if end < 0 {
			return nil, fmt.Errorf("pattern %q: unclosed look-ahead", text)
		}
		re, err := regexp.Compile("^(?:" + translate(rest[3:end]) + ")")
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", text, err)
		}
		p.not = append(p.not, re)
		rest = rest[end+1:]
	}
	re, err := regexp.Compile("^(?:" + translate(rest) + ")$")
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", text, err)
	}
	p.must = re
	return p, nil
}

// matches tells whether the whole value matches.
func (p *pattern) matches(value string) bool {
	for _, n := range p.not {
		if n.MatchString(value) {
			return false
		}
	}
	return p.must.MatchString(value)
}

// closing returns the index of the parenthesis that closes the one at the beginning, or -1.
func closing(s string) int {
	depth, class := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// javaCodePoint finds a code point as Java writes it: four hexadecimal digits behind \u.
var javaCodePoint = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`)

// repeat finds {n,m}.
var repeat = regexp.MustCompile(`\{(\d+),(\d+)\}`)

// hyphenInside finds (?!-)[…-]{n,m}, labels of domain names: characters of which the first is no hyphen, and with (?<!-)
// behind it the last is none.
var hyphenInside = regexp.MustCompile(`\(\?!-\)\[([^\]\\]*)-\]\{(\d+),(\d+)\}(\(\?<!-\))?`)

// singleHyphens finds ([…]|-(?!-)){n,m}[…], names in which no hyphen follows another and none is the last character.
var singleHyphens = regexp.MustCompile(`\(\[([^\]\\]*)\]\|-\(\?!-\)\)\{(\d+),(\d+)\}\[([^\]\\]*)\]`)

// withoutDoubled spells singleHyphens so that Go knows it: a hyphen comes with the character after it. How many
// characters there are is held by the member's length alone.
func withoutDoubled(s string) string {
	return singleHyphens.ReplaceAllStringFunc(s, func(m string) string {
		parts := singleHyphens.FindStringSubmatch(m)
		if parts[1] != parts[4] {
			return m
		}
		most, _ := strconv.Atoi(parts[3])
		return fmt.Sprintf("(?:-?[%s]){1,%d}", parts[1], most+1)
	})
}

// withoutLookAhead spells hyphenInside so that Go knows it: the first character is written apart. What comes after it
// in a pattern must not begin with a hyphen either, for when there is none of the class.
func withoutLookAhead(s string) string {
	return hyphenInside.ReplaceAllStringFunc(s, func(m string) string {
		parts := hyphenInside.FindStringSubmatch(m)
		least, _ := strconv.Atoi(parts[2])
		most, _ := strconv.Atoi(parts[3])
		text := fmt.Sprintf("[%s][%s-]{%d,%d}", parts[1], parts[1], max(least-1, 0), most-1)
		if parts[4] != "" {
			text = fmt.Sprintf("[%s](?:[%s-]{%d,%d}[%s])?", parts[1], parts[1], max(least-2, 0), most-2, parts[1])
		}
		if least == 0 {
			return "(?:" + text + ")?"
		}
		return text
	})
}

// translate turns Java's spelling into Go's: code points, and repetitions above Go's limit of 1000, whose
// upper end the member's length holds as well.
func translate(s string) string {
	s = withoutLookAhead(withoutDoubled(s))
	// Two spellings of all code points above 0xFFFF: surrogate pairs, and what was meant by five digits.
	s = strings.NewReplacer(`\u10000-\u10FFFF`, `\x{10000}-\x{10FFFF}`,
		`\uD800\uDC00-\uDBFF\uDFFF`, `\x{10000}-\x{10FFFF}`).Replace(s)
	s = javaCodePoint.ReplaceAllString(s, `\x{$1}`)
	return repeat.ReplaceAllStringFunc(s, func(m string) string {
		parts := repeat.FindStringSubmatch(m)
		if n, err := strconv.Atoi(parts[2]); err != nil || n > 1000 {
			return "{" + parts[1] + ",}"
		}
		return m
	})
}
