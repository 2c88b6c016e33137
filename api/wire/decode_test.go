package wire_test

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trellis-project/trellis/api/wire"
)

// TestProblems sends the bad requests of testdata/problems.txt and compares all that is found wrong.
func TestProblems(t *testing.T) {
	codecs := map[string]*wire.Codec{}
	for _, m := range models() {
		codecs[m.Folder] = codec(t, m)
	}
	f, err := os.Open(filepath.Join("testdata", "problems.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var name string
	var got, want []string
	compare := func() {
		if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
			t.Errorf("%s\ngot:\n%s\nwant:\n%s", name, g, w)
		}
		got, want = nil, nil
	}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "  "):
			want = append(want, line[2:])
		default:
			compare()
			name = line
			words := strings.SplitN(line, " ", 4)
			c := codecs[words[0]]
			r := &wire.Request{Method: words[1], Path: words[2], Header: map[string][]string{}}
			r.Path, r.RawQuery, _ = strings.Cut(r.Path, "?")
			if len(words) == 4 {
				r.Body = []byte(words[3])
			}
			if c.Model.Protocol == wire.JSON {
				r.Header["X-Amz-Target"] = []string{c.Model.TargetPrefix + "." + strings.TrimPrefix(r.Path, "/")}
			}
			m, err := c.Read(r)
			if err != nil {
				got = append(got, err.Error())
				continue
			}
			_, problems := c.Decode(m, nil)
			for _, p := range problems {
				got = append(got, strings.ReplaceAll(p.Message, "\n", `\n`))
			}
		}
	}
	compare()
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}
