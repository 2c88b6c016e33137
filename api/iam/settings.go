package iam

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// createAccountAlias serves CreateAccountAlias.
func (h *handlers) createAccountAlias(ctx context.Context, call *api.Call, in *CreateAccountAliasInput) (*CreateAccountAliasOutput, error) {
	rev, err := h.identity.CreateAccountAlias(ctx, call.Caller, in.AccountAlias)
	return api.Done(call, new(CreateAccountAliasOutput), rev, err)
}

// listAccountAliases serves ListAccountAliases: an account has one at most.
func (h *handlers) listAccountAliases(ctx context.Context, call *api.Call, _ *ListAccountAliasesInput) (*ListAccountAliasesOutput, error) {
	a, err := h.identity.AccountSettings(ctx, call.Caller, "iam:ListAccountAliases")
	if err != nil {
		return nil, err
	}
	out := &ListAccountAliasesOutput{AccountAliases: []string{}, IsTruncated: new(false)}
	if a.Alias != "" {
		out.AccountAliases = append(out.AccountAliases, a.Alias)
	}
	return out, nil
}

// deleteAccountAlias serves DeleteAccountAlias.
func (h *handlers) deleteAccountAlias(ctx context.Context, call *api.Call, in *DeleteAccountAliasInput) (*DeleteAccountAliasOutput, error) {
	rev, err := h.identity.DeleteAccountAlias(ctx, call.Caller, in.AccountAlias)
	return api.Done(call, new(DeleteAccountAliasOutput), rev, err)
}

// leastPassword is how long a password must be where UpdateAccountPasswordPolicy does not say (IAM API reference).
const leastPassword = 6

// updateAccountPasswordPolicy serves UpdateAccountPasswordPolicy: what the request leaves out takes its default.
func (h *handlers) updateAccountPasswordPolicy(ctx context.Context, call *api.Call, in *UpdateAccountPasswordPolicyInput) (*UpdateAccountPasswordPolicyOutput, error) {
	rev, err := h.identity.PutPasswordPolicy(ctx, call.Caller, &trellis.PasswordPolicy{
		MinimumLength: int(api.Or(in.MinimumPasswordLength, leastPassword)), Symbols: api.Value(in.RequireSymbols), Numbers: api.Value(in.RequireNumbers),
		Uppercase: api.Value(in.RequireUppercaseCharacters), Lowercase: api.Value(in.RequireLowercaseCharacters),
		UsersMayChange: api.Value(in.AllowUsersToChangePassword), MaxAgeDays: int(api.Value(in.MaxPasswordAge)),
		ReusePrevention: int(api.Value(in.PasswordReusePrevention)), HardExpiry: in.HardExpiry,
	})
	return api.Done(call, new(UpdateAccountPasswordPolicyOutput), rev, err)
}

// getAccountPasswordPolicy serves GetAccountPasswordPolicy.
func (h *handlers) getAccountPasswordPolicy(ctx context.Context, call *api.Call, _ *GetAccountPasswordPolicyInput) (*GetAccountPasswordPolicyOutput, error) {
	a, err := h.identity.AccountSettings(ctx, call.Caller, "iam:GetAccountPasswordPolicy")
	if err != nil {
		return nil, err
	}
	p := a.Passwords
	if p == nil {
		return nil, identity.NoPasswordPolicy(a.ID)
	}
	return &GetAccountPasswordPolicyOutput{PasswordPolicy: &PasswordPolicy{
		AllowUsersToChangePassword: &p.UsersMayChange, ExpirePasswords: new(p.MaxAgeDays > 0), HardExpiry: p.HardExpiry,
		MaxPasswordAge: api.Some(int32(p.MaxAgeDays)), MinimumPasswordLength: new(int32(p.MinimumLength)),
		PasswordReusePrevention: api.Some(int32(p.ReusePrevention)), RequireLowercaseCharacters: &p.Lowercase, RequireNumbers: &p.Numbers,
		RequireSymbols: &p.Symbols, RequireUppercaseCharacters: &p.Uppercase,
	}}, nil
}

// deleteAccountPasswordPolicy serves DeleteAccountPasswordPolicy.
func (h *handlers) deleteAccountPasswordPolicy(ctx context.Context, call *api.Call, _ *DeleteAccountPasswordPolicyInput) (*DeleteAccountPasswordPolicyOutput, error) {
	rev, err := h.identity.PutPasswordPolicy(ctx, call.Caller, nil)
	return api.Done(call, new(DeleteAccountPasswordPolicyOutput), rev, err)
}

// getAccountSummary serves GetAccountSummary.
func (h *handlers) getAccountSummary(ctx context.Context, call *api.Call, _ *GetAccountSummaryInput) (*GetAccountSummaryOutput, error) {
	m, err := h.identity.AccountSummary(ctx, call.Caller)
	if err != nil {
		return nil, err
	}
	out := &GetAccountSummaryOutput{SummaryMap: make(map[string]int32, len(m))}
	for k, v := range m {
		out.SummaryMap[k] = int32(v)
	}
	return out, nil
}

// noLoginProfile is for a user's password: users sign with access keys here, nobody has one.
func noLoginProfile(user string) error {
	return trellis.NewError(404, "NoSuchEntity", "Login Profile for User %s cannot be found.", user)
}

// getLoginProfile serves GetLoginProfile.
func (h *handlers) getLoginProfile(ctx context.Context, call *api.Call, in *GetLoginProfileInput) (*GetLoginProfileOutput, error) {
	name, err := h.userOf(ctx, call, in.UserName)
	if err != nil {
		return nil, err
	}
	return nil, noLoginProfile(name)
}

// deleteLoginProfile serves DeleteLoginProfile, which clients ask for before they delete a user.
func (h *handlers) deleteLoginProfile(ctx context.Context, call *api.Call, in *DeleteLoginProfileInput) (*DeleteLoginProfileOutput, error) {
	name, err := h.userOf(ctx, call, in.UserName)
	if err != nil {
		return nil, err
	}
	return nil, noLoginProfile(name)
}

// userOf finds the user that a request of reading is about, who may be the caller, and asks the caller's policies.
func (h *handlers) userOf(ctx context.Context, call *api.Call, name *string) (string, error) {
	user, err := identity.UserName(call.Caller, api.Value(name))
	if err != nil {
		return "", err
	}
	_, err = h.identity.UserFor(ctx, call.Caller, "iam:"+call.Operation, user)
	return user, err
}

// listMFADevices serves ListMFADevices: there are none, and none can be enabled.
func (h *handlers) listMFADevices(ctx context.Context, call *api.Call, in *ListMFADevicesInput) (*ListMFADevicesOutput, error) {
	_, err := h.userOf(ctx, call, in.UserName)
	return &ListMFADevicesOutput{IsTruncated: new(false), MFADevices: []MFADevice{}}, err
}

// listVirtualMFADevices serves ListVirtualMFADevices: there are none.
func (h *handlers) listVirtualMFADevices(_ context.Context, call *api.Call, _ *ListVirtualMFADevicesInput) (*ListVirtualMFADevicesOutput, error) {
	err := call.Authorize("iam:ListVirtualMFADevices", "*", nil)
	return &ListVirtualMFADevicesOutput{IsTruncated: new(false), VirtualMFADevices: []VirtualMFADevice{}}, err
}

// listSSHPublicKeys serves ListSSHPublicKeys: there are none.
func (h *handlers) listSSHPublicKeys(ctx context.Context, call *api.Call, in *ListSSHPublicKeysInput) (*ListSSHPublicKeysOutput, error) {
	_, err := h.userOf(ctx, call, in.UserName)
	return &ListSSHPublicKeysOutput{IsTruncated: new(false), SSHPublicKeys: []SSHPublicKeyMetadata{}}, err
}

// listSigningCertificates serves ListSigningCertificates: there are none.
func (h *handlers) listSigningCertificates(ctx context.Context, call *api.Call, in *ListSigningCertificatesInput) (*ListSigningCertificatesOutput, error) {
	_, err := h.userOf(ctx, call, in.UserName)
	return &ListSigningCertificatesOutput{IsTruncated: new(false), Certificates: []SigningCertificate{}}, err
}

// listServiceSpecificCredentials serves ListServiceSpecificCredentials: there are none.
func (h *handlers) listServiceSpecificCredentials(ctx context.Context, call *api.Call, in *ListServiceSpecificCredentialsInput) (*ListServiceSpecificCredentialsOutput, error) {
	_, err := h.userOf(ctx, call, in.UserName)
	return &ListServiceSpecificCredentialsOutput{IsTruncated: new(false), ServiceSpecificCredentials: []ServiceSpecificCredentialMetadata{}}, err
}

// getContextKeysForCustomPolicy serves GetContextKeysForCustomPolicy.
func (h *handlers) getContextKeysForCustomPolicy(_ context.Context, call *api.Call, in *GetContextKeysForCustomPolicyInput) (*GetContextKeysForCustomPolicyOutput, error) {
	if err := call.Authorize("iam:GetContextKeysForCustomPolicy", "*", nil); err != nil {
		return nil, err
	}
	keys, err := identity.ContextKeys(in.PolicyInputList)
	return &GetContextKeysForCustomPolicyOutput{ContextKeyNames: keys}, err
}

// getContextKeysForPrincipalPolicy serves GetContextKeysForPrincipalPolicy.
func (h *handlers) getContextKeysForPrincipalPolicy(ctx context.Context, call *api.Call, in *GetContextKeysForPrincipalPolicyInput) (*GetContextKeysForPrincipalPolicyOutput, error) {
	texts, err := h.identity.PoliciesOf(ctx, call.Caller, "iam:GetContextKeysForPrincipalPolicy", in.PolicySourceArn)
	if err != nil {
		return nil, err
	}
	keys, err := identity.ContextKeys(append(texts, in.PolicyInputList...))
	return &GetContextKeysForPrincipalPolicyOutput{ContextKeyNames: keys}, err
}
