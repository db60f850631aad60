module slipring

go 1.19
