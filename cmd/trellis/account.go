package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// accountTag is the tag that chooses the id of an account that is created: AWS's API has no member for it.
const accountTag = "trellis:account-id"

// accountCommand is `trellis account`.
func accountCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "account", Short: "Accounts of the organization"}
	cmd.AddCommand(accountCreateCommand())
	return cmd
}

// accountCreateCommand is `trellis account create`, organizations:CreateAccount with an id of one's choice.
func accountCreateCommand() *cobra.Command {
	var reach reachFlags
	var id, name, email, output string
	cmd := &cobra.Command{
		Use:   "create --name NAME [--id ID]",
		Short: "Create an account in the organization, which is made when there is none",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if name == "" {
				return usage(fmt.Errorf("--name is missing"))
			}
			if output != "text" && output != "json" {
				return usage(fmt.Errorf("-o %q: want text or json", output))
			}
			ctx := cmd.Context()
			c, err := reach.client(ctx)
			if err != nil {
				return err
			}
			if _, err := c.Call(ctx, "organizations", "DescribeOrganization", map[string]any{}); err != nil {
				if _, err := c.Call(ctx, "organizations", "CreateOrganization", map[string]any{"FeatureSet": "ALL"}); err != nil {
					return err
				}
			}
			if email == "" {
				email = name + "@example.com"
			}
			in := map[string]any{"AccountName": name, "Email": email}
			if id != "" {
				in["Tags"] = []any{map[string]any{"Key": accountTag, "Value": id}}
			}
			answer, err := c.Call(ctx, "organizations", "CreateAccount", in)
			if err != nil {
				return err
			}
			status, _ := answer["CreateAccountStatus"].(map[string]any)
			for status["State"] == "IN_PROGRESS" {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(50 * time.Millisecond):
				}
				if answer, err = c.Call(ctx, "organizations", "DescribeCreateAccountStatus", map[string]any{"CreateAccountRequestId": status["Id"]}); err != nil {
					return err
				}
				status, _ = answer["CreateAccountStatus"].(map[string]any)
			}
			if status["State"] != "SUCCEEDED" {
				return fmt.Errorf("create account %s: %v", name, status["FailureReason"])
			}
			if output == "json" {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"id": status["AccountId"], "name": name})
			}
			fmt.Fprintln(cmd.OutOrStdout(), status["AccountId"])
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
