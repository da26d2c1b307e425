"""Where jobs run: one file of facts a site, and the resources that follow from it. Nothing here changes a result."""
