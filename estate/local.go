package estate

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// maxCode is how many bytes code may have that comes with the request, zipped (Lambda developer guide, quotas).
const maxCode = 50 << 20

// zipped is code that stands beside a document.
type zipped struct {
	zip []byte
	sum string // its SHA-256 in base64, as Lambda tells it
}

// sumPrefix is before the sum of code, where a document has its place.
const sumPrefix = "sha256:"

// String is how code is compared and shown.
func (z zipped) String() string { return sumPrefix + z.sum }

// readCode reads a zip, or zips a directory so that the same files always give the same zip.
func readCode(path string) (zipped, error) {
	info, err := os.Stat(path)
	if err != nil {
		return zipped{}, err
	}
	var b []byte
	switch {
	case info.IsDir():
		b, err = zipFolder(path)
	case !info.Mode().IsRegular():
		return zipped{}, fmt.Errorf("%s is neither a zip nor a directory", path)
	case info.Size() > maxCode:
		return zipped{}, fmt.Errorf("%s has more than %d bytes", path, maxCode)
	default:
		if b, err = os.ReadFile(path); err == nil {
			if _, notZip := zip.NewReader(bytes.NewReader(b), int64(len(b))); notZip != nil {
				err = fmt.Errorf("%s is no zip: name the directory that it is in, or zip it", path)
			}
		}
	}
	if err != nil {
		return zipped{}, err
	}
	if len(b) > maxCode {
		return zipped{}, fmt.Errorf("%s has more than %d bytes when it is zipped", path, maxCode)
	}
	sum := sha256.Sum256(b)
	return zipped{b, base64.StdEncoding.EncodeToString(sum[:])}, nil
}

// zipFolder zips what is in a directory, by name, with times and owners that say nothing.
func zipFolder(folder string) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	files := 0
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := os.Stat(path) // what a link leads to
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is no file", path)
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		h := &zip.FileHeader{Name: filepath.ToSlash(name), Method: zip.Deflate}
		h.SetMode(0o644 | info.Mode()&0o111)
		w, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		files++
		if _, err = io.Copy(w, f); err == nil && out.Len() > maxCode {
			err = fmt.Errorf("%s has more than %d bytes when it is zipped", folder, maxCode)
		}
		return err
	})
	if err == nil && files == 0 {
		err = fmt.Errorf("%s is empty", folder)
	}
	if err := errors.Join(err, z.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// variable is a value that stands in the environment of who applies.
var variable = regexp.MustCompile(`^\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}$`)

// unset tells whether a value is of the environment, which has none.
func unset(v any) bool { return variable.MatchString(text(v)) }

// variableOf is the variable that stands in an export for what nobody may see, by the name of its thing.
func variableOf(name string) string {
	word := regexp.MustCompile(`[^A-Za-z0-9]+|^[0-9]`).ReplaceAllStringFunc(strings.Trim(name, "/"), func(s string) string {
		if len(s) == 1 && s >= "0" && s <= "9" {
			return "_" + s // names of variables begin otherwise
		}
		return "_"
	})
	return "${env:" + strings.ToUpper(word) + "}"
}

// local puts what documents take from the machine into wanted things: code that stands beside them, and values of the environment.
// It returns what is not there. Values for members that nobody may see may be missing, where the thing is there already.
func (w *Wanted) local(environment func(string) (string, bool)) Problems {
	var missing Problems
	for _, t := range w.things {
		problem := func(m member, s string, format string, args ...any) {
			missing = append(missing, t.problem(m.name, s, format, args...))
		}
		for _, m := range t.kind.members {
			v, ok := t.members[m.name]
			if !ok || m.form.texts() {
				continue
			}
			if path, is := v.(string); is && m.form == codeFile {
				code, err := readCode(filepath.Join(filepath.Dir(t.doc.file), path))
				if filepath.IsAbs(path) {
					code, err = readCode(path)
				}
				if err != nil {
					problem(m, path, "%s %s: %v", t.kind.name, t.own, err)
					continue
				}
				t.members[m.name] = code
				continue
			}
			secret := m.secret != nil && m.secret(t)
			t.members[m.name] = walk(v, m.name, func(_ string, v any) any {
				named := variable.FindStringSubmatch(text(v))
				if named == nil {
					w.secrets = w.secrets || secret
					return v
				}
				value, is := environment(named[1])
				if !is && !secret {
					problem(m, text(v), "the environment has no variable %s", named[1])
				}
				if !is {
					return v
				}
				w.secrets = w.secrets || secret
				if value != "" {
					w.hidden[value] = true
				}
				return value
			})
		}
	}
	return missing
}

// lacks says what a thing that is to be made can't be made without.
func (t *thing) lacks() Problems {
	var missing Problems
	for _, m := range t.kind.members {
		v := t.members[m.name]
		switch {
		case m.secret != nil && m.secret(t) && unset(v):
			missing = append(missing, t.problem(m.name, text(v), "%s %s is to be made, and the environment has no variable %s for its %s: set it, or write the value in its place",
				t.kind.name, t.own, variable.FindStringSubmatch(text(v))[1], m.name))
		case m.form == codeFile && v == nil:
			missing = append(missing, t.problem(m.name, "", "%s %s is to be made: say by %s which zip or directory it is made of (export writes it with --code)", t.kind.name, t.own, m.name))
		}
	}
	return missing
}

// problem is something that is wrong with a member of a document, at a text of it.
func (t *thing) problem(member, s, format string, args ...any) Problem {
	n := find(t.doc.node, member, s)
	if n == nil {
		n = t.doc.node
	}
	return Problem{t.doc.file, n.Line, n.Column, fmt.Sprintf(format, args...)}
}

// hide puts a word into the place of values that nobody shall see.
func (w *Wanted) hide(m *member, t *thing, v any) any {
	if v == nil {
		return nil
	}
	if m.secret != nil && m.secret(t) {
		return "(secret)"
	}
	return walk(v, "", func(_ string, v any) any {
		if s, ok := v.(string); ok && w.hidden[s] {
			return "(of the environment)"
		}
		return v
	})
}
