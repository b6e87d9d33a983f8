"""Commands for developers: they regenerate pages, tables and samples, and measure speed."""
