package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api/client"
)

// accountTag is the tag that chooses the id of an account that is created: AWS's API has no member for it.
const accountTag = "trellis:account-id"

// accountID is the form of the ids of accounts.
var accountID = regexp.MustCompile(`^[0-9]{12}$`)

// accountCommand is `trellis account`.
func accountCommand() *cobra.Command {
	cmd := group(&cobra.Command{Use: "account", Short: "Accounts of the organization"})
	cmd.AddCommand(accountCreateCommand(), accountCredentialsCommand())
	return cmd
}

// accountCreateCommand is `trellis account create`, organizations:CreateAccount with an id of one's choice.
func accountCreateCommand() *cobra.Command {
	var reach reachFlags
	var id, name, email, output string
	cmd := &cobra.Command{
		Use:   "create --name NAME [--id ID]",
		Short: "Create an account in the organization, which is made when there is none",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if name == "" {
				return usage(errors.New("--name is missing"))
			}
			if id != "" && !accountID.MatchString(id) {
				return usage(fmt.Errorf("--id %q: want 12 digits", id))
			}
			if output != "text" && output != "json" {
				return usage(fmt.Errorf("-o %q: want text or json", output))
			}
			if email == "" {
				email = name + "@example.com"
			}
			c, err := reach.client(cmd.Context())
			if err != nil {
				return err
			}
			made, err := createAccount(cmd.Context(), c, id, name, email)
			if err != nil {
				return err
			}
			if output == "json" {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"id": made, "name": name})
			}
			fmt.Fprintln(cmd.OutOrStdout(), made)
			return nil
		},
	}
	reach.bind(cmd)
	cmd.Flags().StringVar(&id, "id", "", "the account's id, 12 digits (default: a random one)")
	cmd.Flags().StringVar(&name, "name", "", "the account's name")
	cmd.Flags().StringVar(&email, "email", "", "the account's address (default: NAME@example.com)")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text (the id alone) or json")
	return cmd
}

// createAccount makes an account, and the organization when there is none, and returns the account's id.
func createAccount(ctx context.Context, c *client.Client, id, name, email string) (string, error) {
	_, err := c.Call(ctx, "organizations", "DescribeOrganization", map[string]any{})
	var refused *trellis.Error
	if errors.As(err, &refused) && refused.Code == "AWSOrganizationsNotInUseException" {
		_, err = c.Call(ctx, "organizations", "CreateOrganization", map[string]any{"FeatureSet": "ALL"})
	}
	if err != nil {
		return "", err
	}
	in := map[string]any{"AccountName": name, "Email": email}
	if id != "" {
		in["Tags"] = []any{map[string]any{"Key": accountTag, "Value": id}}
	}
	answer, err := c.Call(ctx, "organizations", "CreateAccount", in)
	if err != nil {
		return "", err
	}
	status, _ := answer["CreateAccountStatus"].(map[string]any)
	for status["State"] == "IN_PROGRESS" {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
		if answer, err = c.Call(ctx, "organizations", "DescribeCreateAccountStatus", map[string]any{"CreateAccountRequestId": status["Id"]}); err != nil {
			return "", err
		}
		status, _ = answer["CreateAccountStatus"].(map[string]any)
	}
	if status["State"] != "SUCCEEDED" {
		return "", fmt.Errorf("create account %s: %v", name, status["FailureReason"])
	}
	made, _ := status["AccountId"].(string)
	return made, nil
}

// accountCredentialsCommand is `trellis account credentials`: a session of an account's administrator, for the
// aws CLI.
func accountCredentialsCommand() *cobra.Command {
	var reach reachFlags
	var output string
	cmd := &cobra.Command{
		Use:   "credentials ACCOUNT",
		Short: "Print credentials of an account's administrator, for a shell or a credential_process",
		Long: `Print credentials of an account's administrator, which last an hour: a session of the role
OrganizationAccountAccessRole, which the management account's administrator may assume in every account that was made
in the organization.`,
		Example: `  eval "$(trellis account credentials 444455556666)"
  aws configure set profile.payments.credential_process "trellis account credentials 444455556666 -o json"`,
		Args: oneArgument("the id of an account"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !accountID.MatchString(args[0]) {
				return usage(fmt.Errorf("%q: want an account's id, 12 digits", args[0]))
			}
			if output != "env" && output != "json" {
				return usage(fmt.Errorf("-o %q: want env or json", output))
			}
			accounts, err := reach.accounts()
			if err != nil {
				return err
			}
			end := time.Now().Add(time.Hour)
			c, err := accounts.Credentials(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return printCredentials(cmd.OutOrStdout(), c, output, end)
		},
	}
	reach.bind(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "env", "env (export lines for a shell) or json (the form of a credential_process)")
	return cmd
}

// printCredentials prints a session's credentials, whose letters need no quotes in a shell (base64 and upper case).
func printCredentials(out io.Writer, c client.Credentials, output string, end time.Time) error {
	if output == "json" {
		// AWS CLI user guide, "Sourcing credentials with an external process".
		return json.NewEncoder(out).Encode(map[string]any{"Version": 1, "AccessKeyId": c.AccessKeyID,
			"SecretAccessKey": c.SecretAccessKey.Reveal(), "SessionToken": c.SessionToken, "Expiration": end.UTC().Format(time.RFC3339)})
	}
	_, err := fmt.Fprintf(out, "export AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s AWS_SESSION_TOKEN=%s\n",
		c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken)
	return err
}
