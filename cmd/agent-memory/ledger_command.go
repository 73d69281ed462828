package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/openapi/client"
)

// ledgerPage is how many rows are asked for at once.
const ledgerPage = 1000

type ledgerCommand struct {
	remote
	By  string `enum:"agent,tenant,model" default:"agent" help:"How rows are put together: agent, tenant or model."`
	CSV bool   `name:"csv" help:"Print CSV, with all figures."`
}

// Run prints all rows.
func (c ledgerCommand) Run(ctx context.Context, cfg *config.Config, to streams) error {
	api, err := c.api(cfg)
	if err != nil {
		return err
	}
	if c.CSV {
		return c.copyCSV(ctx, api, to.out)
	}
	ledger, err := c.rows(ctx, api)
	if err != nil {
		return err
	}
	return c.print(to, ledger, func(t *tabwriter.Writer) { ledgerTable(t, ledger) })
}

// copyCSV writes what the server tells as CSV.
func (c ledgerCommand) copyCSV(ctx context.Context, api *client.ClientWithResponses, to io.Writer) error {
	by, format := client.AdminGetLedgerParamsBy(c.By), client.Csv
	answer, err := api.AdminGetLedger(ctx, &client.AdminGetLedgerParams{By: &by, Format: &format})
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(to, answer.Body); err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	return nil
}

// rows are those of all pages, with the times and sums of the last.
func (c ledgerCommand) rows(ctx context.Context, api *client.ClientWithResponses) (*client.LedgerPage, error) {
	by, limit := client.AdminGetLedgerParamsBy(c.By), int64(ledgerPage)
	params := &client.AdminGetLedgerParams{By: &by, Limit: &limit}
	var rows []client.LedgerRow
	for {
		answer, err := api.AdminGetLedgerWithResponse(ctx, params)
		if err != nil {
			return nil, err
		}
		rows = append(rows, answer.JSON200.Rows...)
		if params.Cursor = answer.JSON200.NextCursor; params.Cursor == nil {
			answer.JSON200.Rows = rows
			return answer.JSON200, nil
		}
	}
}

// ledgerTable writes the figures that a person compares; JSON and CSV have all.
func ledgerTable(t *tabwriter.Writer, l *client.LedgerPage) {
	fmt.Fprintln(t, "TENANT\tAGENT\tMODEL\tREQUESTS\tCOMPUTED\tREAD\tGENERATED\tSAVED\tPOOL GBh\tDISK GBh\tBUCKET GBh\tCALLS\tWRITTEN")
	for _, row := range l.Rows {
		agent := printable(row.Agent)
		if row.Kind == client.LedgerRowKindOthers {
			agent = "(others)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t", printable(row.Tenant), agent, printable(row.Model))
		ledgerCells(t, row.Requests, row.TokensComputed, row.TokensReadPool+row.TokensReadDisk+row.TokensReadObject, row.TokensGenerated,
			row.RestoreMsSaved, [3]float64{row.ByteHoursPool, row.ByteHoursDisk, row.ByteHoursObject}, row.ObjectCalls, row.DiskBytesWritten+row.ObjectBytesWritten)
	}
	sum := l.Total
	fmt.Fprint(t, "all\t\t\t")
	ledgerCells(t, sum.Requests, sum.TokensComputed, sum.TokensReadPool+sum.TokensReadDisk+sum.TokensReadObject, sum.TokensGenerated,
		sum.RestoreMsSaved, [3]float64{sum.ByteHoursPool, sum.ByteHoursDisk, sum.ByteHoursObject}, sum.ObjectCalls, sum.DiskBytesWritten+sum.ObjectBytesWritten)
	fmt.Fprintf(t, "since %s\n", l.Since.Local().Format(time.DateTime))
}

// printable is a text in one cell of a table; ids are their clients'.
func printable(text string) string {
	switch {
	case text == "":
		return "-"
	case strconv.Quote(text) != `"`+text+`"`:
		return strconv.Quote(text)
	}
	return text
}

func ledgerCells(t *tabwriter.Writer, requests, computed, read, generated int64, savedMs float64, hours [3]float64, calls, written int64) {
	saved := time.Duration(savedMs * float64(time.Millisecond)).Round(time.Millisecond)
	fmt.Fprintf(t, "%d\t%d\t%d\t%d\t%s\t", requests, computed, read, generated, saved)
	for _, byteHours := range hours {
		fmt.Fprintf(t, "%.3f\t", byteHours/(1<<30))
	}
	fmt.Fprintf(t, "%d\t%s\n", calls, size(written))
}
