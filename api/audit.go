package api

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api/wire"
)

// Bounds of what an audit record keeps of one call. AWS leaves out parameters and elements that are longer than 100 KB
// (CloudTrail user guide, record contents).
const (
	maxAudited      = 100 << 10 // bytes of the input, and of the output
	maxAuditMessage = 1024      // bytes of an error's message, and of a user agent
)

// reading are the first words of the names of operations that change nothing. CloudTrail tells them by the same, and
// few of the API models say it themselves.
var reading = []string{"Batch", "Check", "Decode", "Describe", "Detect", "Export", "Filter", "Get", "Head", "List", "Lookup", "Query", "Scan", "Search", "Select", "Simulate", "Test", "Validate"}

// usesKey are the operations of KMS that use a key.
var usesKey = regexp.MustCompile(`^(Encrypt|Decrypt|ReEncrypt|Generate|Sign$|Verify|DeriveSharedSecret)`)

// isReading tells whether an operation changes nothing.
func isReading(service string, op *wire.Operation) bool {
	// STS hands out credentials and keeps nothing. Queries of logs read. Using a key changes nothing.
	if op.ReadOnly || service == "sts" || service == "logs" && strings.HasSuffix(op.Name, "Query") || service == "kms" && usesKey.MatchString(op.Name) {
		return true
	}
	for _, word := range reading {
		if rest, ok := strings.CutPrefix(op.Name, word); ok && rest != "" && rest[0] >= 'A' && rest[0] <= 'Z' {
			return !strings.HasPrefix(op.Name, "Batch") || strings.HasPrefix(op.Name, "BatchGet")
		}
	}
	return false
}

// Data marks an operation that moves the data of a resource, which CloudTrail counts as a data event: its input and
// output are not kept, and LookupEvents does not show it.
func (o Operation) Data() Operation {
	o.data = true
	return o
}

// audited is what an exchange keeps for its audit record.
type audited struct {
	accessKeyID string
	in, out     any // pointers to the operation's structs, nil while they are not known
	err         *trellis.Error
}

// audit hands the record of a call to who keeps them, before the answer is sent. A call about a role of another account
// is in the trails of both.
func (x *exchange) audit() {
	keep := x.server.options.Audit
	if keep == nil {
		return
	}
	r := trellis.AuditRecord{ID: trellis.NewUUID(), RequestID: x.call.RequestID, Time: x.started.UTC(), Account: x.call.Account,
		Service: x.call.Service, Operation: x.call.Operation, Principal: x.auditPrincipal(), Region: x.server.options.Region,
		SourceIP: x.call.SourceIP, UserAgent: cut(x.call.UserAgent, maxAuditMessage), Revision: x.call.revision.Load()}
	if e := x.audited.err; e != nil {
		r.ErrorCode, r.ErrorMessage = e.Code, cut(e.Message, maxAuditMessage)
	}
	r.ReadOnly = x.operation == nil
	if x.operation != nil {
		x.auditSides(&r)
	}
	owner := x.roleOwner(&r)
	if owner != "" && r.Account != "" && owner != r.Account {
		r.SharedID = trellis.NewUUID()
		other := r
		other.ID, other.Account = trellis.NewUUID(), owner
		// The other account is told of the caller's account and id only (CloudTrail user guide, userIdentity).
		other.Principal = trellis.AuditPrincipal{Type: "AWSAccount", Account: r.Principal.Account, UserID: r.Principal.UserID}
		keep(other)
	} else if owner != "" {
		r.Account = owner
	}
	keep(r)
}

// auditSides puts into a record what its operation took and answered.
func (x *exchange) auditSides(r *trellis.AuditRecord) {
	service, codec := x.service.Model, x.service.codec
	r.APIVersion, r.ReadOnly = service.Version, isReading(service.SigningName, x.operation)
	if r.Data = x.service.rows[x.operation.Name].data; r.Data {
		x.mention(r, x.audited.in)
		return
	}
	if x.audited.in != nil {
		r.Request = bounded(codec.Audit(x.operation, x.audited.in))
		x.mention(r, x.audited.in)
	}
	if x.audited.out != nil && (!r.ReadOnly || service.SigningName == "sts" && !strings.HasPrefix(r.Operation, "Get")) {
		r.Response = bounded(codec.Audit(x.operation, x.audited.out))
		x.mention(r, x.audited.out)
	}
}

// mention adds the resources that an input or output names to a record. nil names none.
func (x *exchange) mention(r *trellis.AuditRecord, side any) {
	if side == nil {
		return
	}
	for _, m := range x.service.codec.Mentions(x.operation, side) {
		a := trellis.AuditResource{Name: cut(m.Text, maxAuditMessage)}
		if !strings.HasPrefix(m.Text, "arn:") {
			a.Type = m.Member
			for _, end := range []string{"Names", "Name", "Ids", "Identifier", "Id"} {
				a.Type = strings.TrimSuffix(a.Type, end)
			}
		}
		if !slices.ContainsFunc(r.Resources, func(o trellis.AuditResource) bool { return o.Name == a.Name }) {
			r.Resources = append(r.Resources, a)
		}
	}
}

// roleOwner is the account of the role that a call of STS gave credentials of, or "".
func (x *exchange) roleOwner(r *trellis.AuditRecord) string {
	if r.Service != "sts" || r.ErrorCode != "" || !strings.HasPrefix(r.Operation, "AssumeRole") {
		return ""
	}
	for _, m := range r.Resources {
		if a, err := trellis.ParseARN(m.Name); err == nil && a.Service == "iam" {
			return a.Account
		}
	}
	return ""
}

// auditPrincipal is who called, as records have it.
func (x *exchange) auditPrincipal() trellis.AuditPrincipal {
	if x.call.Caller == nil {
		return trellis.AuditPrincipal{Type: trellis.PrincipalAnonymous}
	}
	if x.call.Operation == "AssumeRoleWithWebIdentity" {
		return trellis.AuditPrincipal{Type: trellis.PrincipalWebIdentity}
	}
	p := &x.call.Caller.Principal
	a := trellis.AuditPrincipal{Type: p.Type, Account: p.Account, ARN: p.ARN, UserID: p.UserID, SessionName: p.SessionName,
		AccessKeyID: x.audited.accessKeyID, SessionAt: p.TokenIssuedAt, SourceIdentity: p.SourceIdentity, Provider: p.FederatedProvider}
	if !p.TokenIssuedAt.IsZero() {
		a.IssuerARN = p.PolicyARN
	}
	return a
}

// bounded is a JSON text, or in place of one that is too long a word on that.
func bounded(text []byte) json.RawMessage {
	if len(text) > maxAudited {
		return fmt.Appendf(nil, `{"omitted":true,"originalSize":%d,"reason":"larger than %d bytes"}`, len(text), maxAudited)
	}
	return text
}
