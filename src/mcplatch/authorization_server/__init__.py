"""The authorization server's decisions; knows no web framework and no SQL.

Every operation is the same beats in this order, without those it does not need:

    parse → gather → read → decide → answer

`parse` looks at its input only; `gather` is slow or outside I/O before the transaction; `read`,
`decide` and `answer` happen inside one transaction that `Store.settle` may run again. `decide` is
pure. The worked example is `grant_types/authorization_code.py`.
"""
