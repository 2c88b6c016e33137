package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
)

// model is the part of an API model that is read: botocore's service-2.json.
type model struct {
	Metadata   metadata              `json:"metadata"`
	Operations map[string]*operation `json:"operations"`
	Shapes     map[string]*shape     `json:"shapes"`
}

// metadata tells how a service is spoken to.
type metadata struct {
	APIVersion     string    `json:"apiVersion"`
	EndpointPrefix string    `json:"endpointPrefix"`
	JSONVersion    string    `json:"jsonVersion"`
	Protocol       string    `json:"protocol"`
	Protocols      []string  `json:"protocols"`
	QueryCompat    *struct{} `json:"awsQueryCompatible"`
	ServiceID      string    `json:"serviceId"`
	SigningName    string    `json:"signingName"` // empty when it is the endpoint prefix
	TargetPrefix   string    `json:"targetPrefix"`
	XMLNamespace   string    `json:"xmlNamespace"`
}

// operation is one operation of a service.
type operation struct {
	Name string `json:"name"`
	HTTP struct {
		Method       string `json:"method"`
		RequestURI   string `json:"requestUri"`
		ResponseCode int    `json:"responseCode"` // 0 means 200
	} `json:"http"`
	Input      *member  `json:"input"`
	Output     *member  `json:"output"`
	Errors     []member `json:"errors"`
	Idempotent bool     `json:"idempotent"`
	ReadOnly   bool     `json:"readonly"`
}

// shape is a type of the model.
type shape struct {
	Type            string             `json:"type"`
	Members         map[string]*member `json:"members"`
	Required        []string           `json:"required"`
	Member          *member            `json:"member"` // of a list
	Key             *member            `json:"key"`    // of a map
	Value           *member            `json:"value"`  // of a map
	Flattened       bool               `json:"flattened"`
	Payload         string             `json:"payload"`
	Min             *float64           `json:"min"`
	Max             *float64           `json:"max"`
	Pattern         string             `json:"pattern"`
	Enum            []string           `json:"enum"`
	Union           bool               `json:"union"`
	Sensitive       bool               `json:"sensitive"`
	TimestampFormat string             `json:"timestampFormat"`
	Exception       bool               `json:"exception"`
	Fault           bool               `json:"fault"`
	Error           struct {
		Code           string `json:"code"`
		HTTPStatusCode int    `json:"httpStatusCode"`
	} `json:"error"`
}

// member is a reference to a shape, with what is said where it is used.
type member struct {
	Shape            string `json:"shape"`
	Location         string `json:"location"`
	LocationName     string `json:"locationName"`
	QueryName        string `json:"queryName"`
	ResultWrapper    string `json:"resultWrapper"`
	IdempotencyToken bool   `json:"idempotencyToken"`
	TimestampFormat  string `json:"timestampFormat"`
	Flattened        bool   `json:"flattened"`
	XMLAttribute     bool   `json:"xmlAttribute"`
	Streaming        bool   `json:"streaming"`
	XMLNamespace     struct {
		URI string `json:"uri"`
	} `json:"xmlNamespace"`
}

// readModel reads the newest version of a service's model below botocore's folder, compressed or not.
func readModel(botocore, service string) (*model, error) {
	pattern := filepath.Join(botocore, "data", service, "*", "service-2.json*")
	found, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("look for the model of %s: %w", service, err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no model of %s: nothing matches %s", service, pattern)
	}
	sort.Strings(found)
	name := found[len(found)-1]
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the model of %s: %w", service, err)
	}
	if filepath.Ext(name) == ".gz" {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		if b, err = io.ReadAll(z); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
	}
	m := new(model)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return m, nil
}
