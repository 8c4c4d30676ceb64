const page = document.getElementById("docs");

SwaggerUIBundle({
  domNode: page,
  url: page.dataset.document,
  validatorUrl: null, // else the document of a public host goes to somebody else's validator
  persistAuthorization: true,
  deepLinking: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  defaultModelExpandDepth: 3,
  requestSnippetsEnabled: false,
});
