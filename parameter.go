package trellis

import (
	"fmt"
	"strings"
)

// LabImage is the id of the one image that instances are made of. RunInstances takes any: a lab instance is an empty host
// whatever it is made of.
const LabImage = "ami-07e111500000000ab"

// ParameterType is what the value of a parameter is (Systems Manager API, Parameter).
type ParameterType string

// The types of parameters.
const (
	ParameterString       ParameterType = "String"
	ParameterStringList   ParameterType = "StringList"
	ParameterSecureString ParameterType = "SecureString"
)

// Parameter is a named value of Systems Manager. Its versions are nouns of their own.
type Parameter struct {
	Meta                         // ID is its name
	Type           ParameterType `json:"type"`
	Version        int64         `json:"version"` // the latest
	Description    string        `json:"description,omitempty"`
	AllowedPattern string        `json:"allowedPattern,omitempty"`
	DataType       string        `json:"dataType"`
	KeyID          string        `json:"keyId,omitempty"` // of a SecureString, as the client named it
	Tier           string        `json:"tier"`
	ModifiedBy     string        `json:"modifiedBy"` // ARN
}

// ParameterVersion is a value that a parameter has, or had.
type ParameterVersion struct {
	Parameter          // as it was
	Value     Secret   `json:"value"`
	KeyARN    string   `json:"keyArn,omitempty"` // of a SecureString: the key that KeyID named when it was put; empty in versions from before this was kept
	Labels    []string `json:"labels,omitempty"`
}

// Kind is KindParameter.
func (*Parameter) Kind() Kind { return KindParameter }

// ARN is arn:aws:ssm:region:account:parameter/NAME.
func (p *Parameter) ARN(region string) string { return ParameterARN(region, p.Account, p.ID) }

// ParameterARN is the ARN of a parameter; account is empty for the public ones.
func ParameterARN(region, account, name string) string {
	return ARN{Partition: "aws", Service: "ssm", Region: region, Account: account, Resource: "parameter/" + strings.TrimPrefix(name, "/")}.String()
}

// Kind is KindParameterVersion.
func (*ParameterVersion) Kind() Kind { return KindParameterVersion }

// Key is account/name:version, with zeros before the version. No name has a colon.
func (v *ParameterVersion) Key() string { return VersionKey(v.Account, v.ID, v.Version) }

// VersionKey is the key of one version of a parameter.
func VersionKey(account, name string, version int64) string {
	return fmt.Sprintf("%s/%s:%010d", account, name, version)
}

// Secrets is the value.
func (v *ParameterVersion) Secrets() []*Secret { return []*Secret{&v.Value} }
