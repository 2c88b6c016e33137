package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// actionsFile is where the names of services and their actions go, seen from the folder api: authpolicy warns of policies
// that name others.
const actionsFile = "../authpolicy/actions_gen.txt"

// writeActions lists the services of AWS as policies name them, one a line, those that are served with their operations,
// whose names are those of actions.
func writeActions(botocore string, served []service) ([]byte, error) {
	found, err := filepath.Glob(filepath.Join(botocore, "data", "*", "*", "service-2.json.gz"))
	if err != nil {
		return nil, err
	}
	actions := map[string][]string{}
	for _, path := range found {
		m, err := readMetadata(path)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		actions[m.prefix()] = nil
	}
	for _, s := range served {
		m, err := readModel(botocore, s.botocore)
		if err != nil {
			return nil, err
		}
		actions[m.Metadata.prefix()] = append(actions[m.Metadata.prefix()], slices.Sorted(maps.Keys(m.Operations))...)
	}
	var out bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(actions)) {
		out.WriteString(name)
		for _, a := range actions[name] {
			out.WriteString(" " + a)
		}
		out.WriteByte('\n')
	}
	return out.Bytes(), nil
}

// prefix is the service's name in actions.
func (m *metadata) prefix() string {
	if m.EndpointPrefix == "monitoring" { // the one service whose actions have neither name
		return "cloudwatch"
	}
	if m.SigningName != "" {
		return m.SigningName
	}
	return m.EndpointPrefix
}

// readMetadata reads the metadata of a model alone, which stands at its beginning.
func readMetadata(path string) (*metadata, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(z)
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		if name == "metadata" {
			m := new(metadata)
			return m, d.Decode(m)
		}
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("there is no metadata")
}
