// Command generate writes the Go types of the AWS services that the API speaks, from the API models that
// the Python package botocore ships. It reads facts only (names, places, constraints), no documentation.
//
//	go run ./api/generate [-botocore FOLDER]
//
// Without -botocore the folder is TRELLIS_BOTOCORE, or the one that `make tools` installs below .cache/boto3.
// Each service gets two files in its folder below api: types_gen.go (structs) and model_gen.go (operations).
// authpolicy/actions_gen.txt gets the names of all services and actions.
package main

import (
	"bytes"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// botocoreVersion is the version whose models the committed files are made from. The models of another
// version differ, so another one is refused.
const botocoreVersion = "1.44.5"

// servicesText is the list of services and operations.
//
//go:embed services.txt
var servicesText string

// main writes the files, or says what failed.
func main() {
	botocore := flag.String("botocore", "", "folder of the botocore package")
	root := flag.String("root", ".", "root of the repository")
	flag.Parse()
	if err := run(*root, *botocore); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// run generates all files and writes those that differ.
func run(root, botocore string) error {
	if botocore == "" {
		var err error
		if botocore, err = findBotocore(root); err != nil {
			return err
		}
	}
	files, err := generateAll(botocore)
	if err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(root, "api", name)
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		fmt.Println("wrote", path)
	}
	return nil
}

// findBotocore returns the folder of the botocore package: TRELLIS_BOTOCORE if it is set, else the one
// of the Python environment boto3 in TRELLIS_VENVS (.cache below the root), which `make tools` makes.
func findBotocore(root string) (string, error) {
	if dir := os.Getenv("TRELLIS_BOTOCORE"); dir != "" {
		if _, err := os.Stat(filepath.Join(dir, "data")); err != nil {
			return "", fmt.Errorf("TRELLIS_BOTOCORE is not the folder of botocore: %w", err)
		}
		return dir, nil
	}
	venvs := os.Getenv("TRELLIS_VENVS")
	if venvs == "" {
		venvs = filepath.Join(root, ".cache")
	}
	python := filepath.Join(venvs, "boto3", "bin", "python3")
	out, err := exec.Command(python, "-c", "import botocore, os; print(os.path.dirname(botocore.__file__))").Output()
	if err != nil {
		return "", fmt.Errorf("botocore is not installed in %s, run `make tools`: %w", venvs, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// checkVersion refuses a botocore whose models are of another version.
func checkVersion(botocore string) error {
	b, err := os.ReadFile(filepath.Join(botocore, "__init__.py"))
	if err != nil {
		return fmt.Errorf("read the version of botocore: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "__version__ = "); ok {
			if v = strings.Trim(v, "'\" \n"); v != botocoreVersion {
				return fmt.Errorf("botocore is %s, but %s is asked for: run `make tools`", v, botocoreVersion)
			}
			return nil
		}
	}
	return errors.New("botocore tells no version")
}

// service is an entry of services.txt.
type service struct {
	folder, botocore string
	operations       []string
}

// readServices parses services.txt.
func readServices(text string) ([]service, error) {
	var list []service
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
		case words[0] == "service" && len(words) == 3:
			list = append(list, service{folder: words[1], botocore: words[2]})
		case len(list) == 0 || words[0] == "service":
			return nil, fmt.Errorf("services.txt: bad line %q", line)
		default:
			s := &list[len(list)-1]
			s.operations = append(s.operations, words...)
		}
	}
	return list, nil
}

// generateAll returns all generated files by their path below api.
func generateAll(botocore string) (map[string][]byte, error) {
	if err := checkVersion(botocore); err != nil {
		return nil, err
	}
	services, err := readServices(servicesText)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, s := range services {
		m, err := readModel(botocore, s.botocore)
		if err != nil {
			return nil, err
		}
		w := newWriter(s, m)
		types, table, err := w.write()
		if err != nil {
			return nil, fmt.Errorf("generate %s: %w", s.folder, err)
		}
		files[s.folder+"/types_gen.go"] = types
		files[s.folder+"/model_gen.go"] = table
	}
	if files[actionsFile], err = writeActions(botocore, services); err != nil {
		return nil, fmt.Errorf("list actions: %w", err)
	}
	return files, nil
}

// listed returns the operations of a service to generate, sorted.
func (s *service) listed(m *model) ([]string, error) {
	var names []string
	for _, n := range s.operations {
		if n == "*" {
			for n := range m.Operations {
				names = append(names, n)
			}
			continue
		}
		if m.Operations[n] == nil {
			return nil, fmt.Errorf("the model has no operation %s", n)
		}
		names = append(names, n)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
