package ledger

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/negotiation"
)

// Media types of the answer.
const (
	jsonType = "application/json"
	csvType  = "text/csv"
)

// LedgerPage is a part of the ledger.
type LedgerPage struct { //nolint:revive // it is the name of the API's schema, too
	Since time.Time   `json:"since" doc:"When this node started"`
	At    time.Time   `json:"at" doc:"When the figures were taken"`
	By    string      `json:"by" enum:"agent,tenant,model"`
	Rows  []LedgerRow `json:"rows" nullable:"false" doc:"By tenant, agent and model"`
	Total Figures     `json:"total" doc:"Of the node: the sums of the rows of all pages"`
	Next  string      `json:"next_cursor,omitempty" doc:"Missing on the last page"`
}

// Register adds the module's operation to the router.
func (l *Ledger) Register(router *httpapi.Router) {
	api := router.API()
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[LedgerPage](), true, "LedgerPage")
	huma.Register(api, huma.Operation{
		OperationID: "adminGetLedger", Method: http.MethodGet, Path: "/admin/ledger", Tags: []string{"admin"},
		Summary: "What each agent, tenant or model had this node compute, read, keep and move since it started",
		Description: "As JSON in pages, or all rows as CSV if text/csv is accepted or asked for. In CSV texts that begin with = + - @, a tab or " +
			"a line's end get an apostrophe in front, so that no spreadsheet takes them for a formula.",
		Security: []map[string][]string{{"apiKey": {}}, {"bearer": {}}},
		Responses: map[string]*huma.Response{"200": {Description: "The rows", Content: map[string]*huma.MediaType{
			jsonType: {Schema: schema}, csvType: {Schema: &huma.Schema{Type: huma.TypeString}},
		}}},
	}, func(_ context.Context, in *ledgerInput) (*huma.StreamResponse, error) { return l.show(api, in) })
}

type ledgerInput struct {
	By     string `query:"by" enum:"agent,tenant,model" default:"agent" doc:"How rows are put together"`
	Cursor string `query:"cursor" doc:"Where to go on: next_cursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Of rows on a page; CSV has all"`
	Format string `query:"format" enum:"json,csv" doc:"Instead of what the client accepts"`

	accepted string
}

// Resolve implements huma.Resolver: it reads what the client accepts, which is no parameter.
func (in *ledgerInput) Resolve(ctx huma.Context) []error {
	in.accepted = negotiation.SelectQValue(ctx.Header("Accept"), []string{jsonType, csvType})
	return nil
}

func (in *ledgerInput) wantsCSV() bool {
	return in.Format == "csv" || in.Format == "" && in.accepted == csvType
}

func (l *Ledger) show(api huma.API, in *ledgerInput) (*huma.StreamResponse, error) {
	after, err := readCursor(in.Cursor)
	if err != nil {
		return nil, huma.Error400BadRequest("the cursor is not one that a list returned")
	}
	book := l.book(view(in.By))
	if in.wantsCSV() {
		return &huma.StreamResponse{Body: func(to huma.Context) {
			to.SetHeader("Content-Type", csvType+"; charset=utf-8")
			to.SetHeader("Content-Disposition", `attachment; filename="ledger.csv"`)
			_ = writeCSV(to.BodyWriter(), book.rows) // who asked has gone
		}}, nil
	}
	page := l.page(book, in, after)
	return &huma.StreamResponse{Body: func(to huma.Context) {
		to.SetHeader("Content-Type", jsonType)
		_ = api.Marshal(to.BodyWriter(), jsonType, page) // who asked has gone
	}}, nil
}

// page is the part of a book behind a row.
func (l *Ledger) page(b book, in *ledgerInput, after *name) LedgerPage {
	rows := b.rows
	if after != nil {
		from, found := slices.BinarySearchFunc(rows, *after, func(r LedgerRow, n name) int { return compare(r.name(), n) })
		if found {
			from++
		}
		rows = rows[from:]
	}
	page := LedgerPage{Since: l.since.UTC(), At: l.since.Add(b.at).UTC(), By: in.By, Total: b.total}
	if len(rows) > in.Limit {
		rows = rows[:in.Limit]
		page.Next = cursorOf(rows[in.Limit-1].name())
	}
	page.Rows = append([]LedgerRow{}, rows...)
	return page
}

// cursorOf names a place behind a row.
func cursorOf(n name) string {
	raw, _ := json.Marshal([]string{string(n.kind), n.tenant, n.agent, n.model}) // of texts it never fails
	return base64.RawURLEncoding.EncodeToString(raw)
}

// readCursor is the row behind which a page begins; nil for the first page.
func readCursor(cursor string) (*name, error) {
	if cursor == "" {
		return nil, nil //nolint:nilnil // there is none
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, err
	}
	var parts [4]string
	if err := json.Unmarshal(raw, &parts); err != nil {
		return nil, err
	}
	return &name{Kind(parts[0]), parts[1], parts[2], parts[3]}, nil
}
