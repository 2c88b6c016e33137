package logs

import (
	"context"

	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/telemetry"
)

// maxPolicyBytes bounds the document of an account's resource policy (CloudWatch Logs user guide, quotas).
const maxPolicyBytes = 5120

// resourcePolicy is an account's resource policy on the wire.
func resourcePolicy(p telemetry.ResourcePolicy) ResourcePolicy {
	return ResourcePolicy{LastUpdatedTime: &p.UpdatedMillis, PolicyDocument: &p.Document, PolicyName: &p.Name, PolicyScope: new("ACCOUNT")}
}

// ofAccount refuses what is asked of the policies of single log groups.
func ofAccount(arn, revision *string) error {
	if arn != nil || revision != nil {
		return invalid("Resource policies of single log groups, with resourceArn and expectedRevisionId, are not served by Trellis.")
	}
	return nil
}

// putResourcePolicy serves PutResourcePolicy, of the account.
func (h *handler) putResourcePolicy(_ context.Context, c *api.Call, in *PutResourcePolicyInput) (*PutResourcePolicyOutput, error) {
	if err := c.Authorize("logs:PutResourcePolicy", "*", nil); err != nil {
		return nil, err
	}
	name, document := api.Value(in.PolicyName), api.Value(in.PolicyDocument)
	if err := ofAccount(in.ResourceArn, in.ExpectedRevisionId); err != nil {
		return nil, err
	}
	switch {
	case name == "" || len(name) > 512:
		return nil, invalid("policyName must have 1 to 512 characters.")
	case document == "":
		return nil, invalid("policyDocument is missing.")
	case len(document) > maxPolicyBytes:
		return nil, invalid("Resource policy exceeds %d characters.", maxPolicyBytes)
	}
	if _, err := authpolicy.Parse(document, authpolicy.Resource); err != nil {
		return nil, invalid("The policy document is invalid: %v", err)
	}
	p, err := h.logs.PutResourcePolicy(c.Account, name, document)
	if err != nil {
		return nil, err
	}
	return &PutResourcePolicyOutput{ResourcePolicy: new(resourcePolicy(p))}, nil
}

// describeResourcePolicies serves DescribeResourcePolicies. No log group has one of its own.
func (h *handler) describeResourcePolicies(_ context.Context, c *api.Call, in *DescribeResourcePoliciesInput) (*DescribeResourcePoliciesOutput, error) {
	if err := c.Authorize("logs:DescribeResourcePolicies", "*", nil); err != nil {
		return nil, err
	}
	all := h.logs.ResourcePolicies(c.Account)
	if in.ResourceArn != nil || api.Value(in.PolicyScope) == "RESOURCE" {
		all = nil
	}
	page, next, err := api.Cut(c, all, func(p telemetry.ResourcePolicy) string { return p.Name }, in.NextToken, int(api.Or(in.Limit, pageSize)))
	return &DescribeResourcePoliciesOutput{ResourcePolicies: api.Each(page, resourcePolicy), NextToken: next}, err
}

// deleteResourcePolicy serves DeleteResourcePolicy.
func (h *handler) deleteResourcePolicy(_ context.Context, c *api.Call, in *DeleteResourcePolicyInput) (*DeleteResourcePolicyOutput, error) {
	if err := c.Authorize("logs:DeleteResourcePolicy", "*", nil); err != nil {
		return nil, err
	}
	if err := ofAccount(in.ResourceArn, in.ExpectedRevisionId); err != nil {
		return nil, err
	}
	return &DeleteResourcePolicyOutput{}, h.logs.DeleteResourcePolicy(c.Account, api.Value(in.PolicyName))
}
